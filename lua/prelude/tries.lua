-- Tries: one group's first request at a time, and working off the places that may have room.
-- Reads and writes through admission.lua, groups.lua and queued.lua.

-- Hands slots to a waiting request, if its session listens.
local function request_grant(session, n, line, words, needs)
  lease_prepare(session, needs)
  local token = next_token()
  if grant_tell(session, { n = n, token = token }) then
    lease_grant(session, n, words, needs, token, word(line, 'holder'), now_ms)
  else
    put_aside(session, n, line)
  end
end

local function request_try(hash, member, score)
  local session, n = string.match(member, '^(.*)/(%d+)$')
  n = tonumber(n)
  local line = call('HGET', requests_key(session), digits(n))
  if not line or not is_alive(session) then
    group_leave(hash, member)
    call('HDEL', requests_key(session), digits(n))
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
  group_served(hash, member)
  call('HDEL', requests_key(session), digits(n))
  return true
end

-- Tries one group's first request: true when it moved, was granted, failed, or left.
local function group_try(hash)
  local member, score = group_first(hash)
  if not member then
    group_settle(hash, call('HGET', group_key(hash), 'place'))
    return true
  end
  local run = string.match(member, '^run:(.*)$')
  if run then
    return run_try(hash, run, score)
  end
  return request_try(hash, member, score)
end

-- The best run of all lines of a queue that a take could have.
local function queue_try(queue)
  local place = line_best(queue)
  local head = place and place_head(place)
  if not head or not group_try(head) then
    undrained_drop_first()
  end
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
  if string.sub(place, 1, 7) == 'unpool ' then
    undrained_drop_first()
    return unpool(place)
  end
  local queue = string.match(place, '^queue (.*)$')
  if queue then
    return queue_try(queue)
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
  if not todo or in_grace() then
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

local function request_back(n, line)
  local words = string.match(line, '^(.-) order=')
  local needs = needs_parse(words)
  local score = tonumber(word(line, 'order'))
  local place = 'waiters:' .. (blocker_of(nil, needs, score) or needs[1][1])
  request_file(me.id, n, words, needs_limited(needs), score, line, place)
  place_mark(place)
end

-- A session that calls again listens again: what stood aside is back in its old order.
local function aside_back()
  local aside = session_key(me.id) .. ':aside'
  local found = call('HGETALL', aside)
  for i = 1, #found, 2 do
    local n, line = tonumber(found[i]), found[i + 1]
    if is_take(line) then
      call('HSET', requests_key(me.id), digits(n), line)
      take_join(me.id, n, line)
    else
      request_back(n, line)
    end
  end
  call('DEL', aside)
  me.aside_over = true
end
