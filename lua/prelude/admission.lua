-- Admission: who may go on, who waits where, and working off the places that may have room.
-- Reads and writes through slots.lua and places.lua. Publishes grants to sessions other than the caller's.
-- Invariant: the first group of a place either cannot go on, or its place is in `undrained`. Nobody who could go on
-- is passed by a newcomer; nothing is granted to a session that does not listen.


-- The limit with a capacity above 0 that these needs will never fit, and that capacity.
local function too_heavy(needs)
  for _, need in ipairs(needs) do
    local capacity = capacity_of(need[1])
    if capacity > 0 and capacity < need[2] then
      return need[1], need[2], capacity
    end
  end
end

local function is_full(hash, limit, slots)
  return capacity_of(limit) - used_of(limit) - reservation_keeps(hash, limit) < slots
end

-- The group that is first in a place, and its order.
local function place_head(place)
  local hash = reservation_hash()
  if hash and call('ZSCORE', key(place), hash) then
    return hash, -1
  end
  local head = call('ZRANGE', key(place), 0, 0, 'WITHSCORES')
  return head[1], tonumber(head[2] or '')
end

-- The first limit, in the order of the names, that keeps these needs from being granted now.
local function blocker_of(hash, needs, score)
  local order = reservation_hash() == hash and hash and -1 or score
  for _, need in ipairs(needs) do
    local limit, slots = need[1], need[2]
    if capacity_of(limit) < UNLIMITED then
      if is_full(hash, limit, slots) then
        return limit
      end
      if waiting then
        local head, head_order = place_head('waiters:' .. limit)
        if head and head ~= hash and head_order < order then
          return limit
        end
      end
    end
  end
end

local function publish(session, message)
  message.epoch, message.server = digits(meta.epoch), meta.server
  return call('SPUBLISH', key('wake:' .. session), cmsgpack.pack(message))
end

-- Hands slots to a waiting request. False: nobody listens, so nothing is granted and the request stands aside.
local function request_grant(session, n, line, words, needs)
  lease_prepare(session, needs)
  local token = next_token()
  if me and session == me.id then
    own_grants[#own_grants + 1] = { n = n, token = token }
  elseif publish(session, { n = n, token = token }) == 0 then
    call('HSET', key('session:' .. session .. ':aside'), digits(n), line)
    call('HSET', session_key(session), 'aside', 1)
    return false
  end
  lease_grant(session, n, words, needs, token, word(line, 'holder'), now_ms)
  return true
end

-- To another limit's place: counted, since a group that wanders is reserved for in the end.
local function group_park(hash, place, score)
  local before, moves = unpack(call('HMGET', group_key(hash), 'place', 'moves'))
  if before == place then
    return false
  end
  group_prove(place)
  group_place(hash, place, digits(score))
  if before then
    place_mark(before)
    moves = (tonumber(moves) or 0) + 1
    call('HSET', group_key(hash), 'moves', moves)
    reservation_consider(hash, moves)
  end
  return true
end

-- Tries one group's first request: true when it moved, was granted, failed, or left.
local function group_try(hash)
  local member, score = group_first(hash)
  if not member then
    group_settle(hash)
    return true
  end
  local session, n = string.match(member, '^(.*)/(%d+)$')
  n = tonumber(n)
  local line = call('HGET', requests_key(session), digits(n))
  if not line or not is_alive(session) then
    call('ZREM', group_requests(hash), member)
    call('HDEL', requests_key(session), digits(n))
    group_settle(hash)
    return true
  end
  local words = string.match(line, '^(.-) order=')
  local needs = needs_parse(words)
  local limited = needs_limited(needs)
  if group_hash(limited) ~= hash and group_lacks(hash, limited) then
    local place = 'waiters:' .. (blocker_of(nil, needs, score) or needs[1][1])
    request_take_out(session, n, line) -- a limit was added since: it belongs to another group
    request_file(session, n, words, limited, score, line, place)
    place_mark(place)
    return true
  end
  if too_heavy(needs) then
    request_take_out(session, n, line)
    publish(session, { n = n, failed = true })
    return true
  end
  local blocked = blocker_of(hash, needs, score)
  if blocked then
    return group_park(hash, 'waiters:' .. blocked, score)
  end
  request_grant(session, n, line, words, needs)
  call('HSET', group_key(hash), 'moves', 0)
  request_take_out(session, n, line)
  reservation_end_if(hash)
  return true
end

local function place_try(place)
  if string.sub(place, 1, 5) == 'walk ' then
    undrained_drop_first()
    local rest = places_walk(place)
    if rest then
      undrained_add(rest)
    end
    return
  end
  local limit = string.match(place, '^waiters:(.*)$')
  local full = limit and capacity_of(limit) <= used_of(limit)
  local head = not full and place_head(place)
  if full or not head or not group_try(head) then
    undrained_drop_first() -- nothing more can go on here for now
  end
end

-- Works off `undrained`, at most 64 tries and one a command. In a grace nothing is worked off.
local function drain(commands)
  if in_grace() then
    return
  end
  local tries = MOST_TRIES + commands
  while tries > 0 and todo.first <= #todo do
    local place = todo[todo.first]
    local fine, problem = pcall(place_try, place)
    if not fine then
      broken(place, problem)
      if todo[todo.first] == place then
        undrained_drop_first()
      end
    end
    tries = tries - 1
  end
end

-- A session that calls again listens again: what stood aside is back in its old order.
local function aside_back()
  local aside = session_key(me.id) .. ':aside'
  local found = call('HGETALL', aside)
  for i = 1, #found, 2 do
    local n, line = tonumber(found[i]), found[i + 1]
    local words = string.match(line, '^(.-) order=')
    local needs = needs_parse(words)
    local score = tonumber(word(line, 'order'))
    local place = 'waiters:' .. (blocker_of(nil, needs, score) or needs[1][1])
    request_file(me.id, n, words, needs_limited(needs), score, line, place)
    place_mark(place)
  end
  call('DEL', aside)
  me.aside_over = true
end
