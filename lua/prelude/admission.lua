-- Admission: who may go on, who waits where, and how what waits is granted.
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

-- The group that goes first in a place, and its order.
local function place_head(place)
  local hash = reservation_hash()
  if hash and call('ZSCORE', key(place), hash) then
    return hash, -1
  end
  return place_first(place)
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

-- Tells a session what it was granted; false: nobody listens there, so nothing may be granted.
local function grant_tell(session, grant)
  if me and session == me.id then
    own_grants = own_grants or {}
    own_grants[#own_grants + 1] = grant
    return true
  end
  return publish(session, grant) > 0
end

-- What could be granted while its session does not listen stands aside until it calls again.
local function put_aside(session, n, line)
  call('HSET', key('session:' .. session .. ':aside'), digits(n), line)
  call('HSET', session_key(session), 'aside', 1)
end

-- To another place. A group that wanders between limits is counted, since it is reserved for in the end.
local function group_park(hash, place, score)
  local before, moves = unpack(call('HMGET', group_key(hash), 'place', 'moves'))
  if before == place then
    return false
  end
  group_prove(place)
  group_place(hash, place, digits(score))
  if before then
    place_mark(before)
    if line_of(place) then
      reservation_end_if(hash)
    elseif not line_of(before) then
      moves = (tonumber(moves) or 0) + 1
      call('HSET', group_key(hash), 'moves', moves)
      reservation_consider(hash, moves)
    end
  end
  return true
end
