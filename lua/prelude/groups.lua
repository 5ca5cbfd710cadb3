-- Groups: the waiting requests that need the same limited slots (and, for runs, the same queue and job) wait as one,
-- in order. A member is SESSION/N, or run:ID.
-- Reads and writes: group:HASH, group:HASH:requests, session:ID:requests, and the place a group waits in.
-- Invariant: a group waits in exactly one place, scored there by its first request.

-- The part of the needs that has a capacity now: what decides where a request waits.
local function needs_limited(needs)
  if needs.limited_by == effective then
    return needs.limited
  end
  local limited = {}
  for _, need in ipairs(needs) do
    if capacity_of(need[1]) < UNLIMITED then
      limited[#limited + 1] = need[1] .. '=' .. need[2]
    end
  end
  needs.limited, needs.limited_by = table.concat(limited, ' '), effective
  return needs.limited
end

local function group_requests(hash)
  return key('group:' .. hash .. ':requests')
end

-- Takes a group out of its place, or puts it into another; `place` nil: nowhere.
local function group_place(hash, place, score)
  local before = call('HGET', group_key(hash), 'place')
  if before and before ~= '' and before ~= place then
    call('ZREM', key(before), hash)
    place_changed(before)
    if call('EXISTS', key(before)) == 0 then
      call('ZREM', key('places'), before)
      memo.places[before] = false
    end
    line_note(before)
  end
  if place then
    call('ZADD', key(place), score, hash)
    place_changed(place)
    if not place_used(place) then
      call('ZADD', key('places'), 0, place)
      memo.places[place] = true
    end
    call('HSET', group_key(hash), 'place', place)
    waiting = true
    line_note(place)
  end
end

-- Proves the types of what a change of a group will write, before its first write.
local function group_prove(place)
  if place then
    call('ZCARD', key(place))
    if unmarkable then -- else read at the start of the call
      call('ZCARD', key('places'))
    end
  end
end

local function group_first(hash)
  local first = call('ZRANGE', group_requests(hash), 0, 0, 'WITHSCORES')
  return first[1], tonumber(first[2] or '')
end

-- After its requests changed: the group keeps its place under its first request's score, or is gone. Returns whether it
-- is still there.
local function group_settle(hash, place)
  local first, score = group_first(hash)
  if not first then
    reservation_end_if(hash)
    group_place(hash, nil)
    call('DEL', group_key(hash))
  elseif place then
    call('ZADD', key(place), digits(score), hash)
    place_changed(place)
    line_note(place)
  end
  if place then
    place_mark(place)
  end
  return first ~= nil
end

local function requests_key(session)
  return prefix .. 'session:' .. session .. ':requests'
end

local function group_leave(hash, member)
  local place, moves = unpack(call('HMGET', group_key(hash), 'place', 'moves'))
  group_prove(place)
  call('ZREM', group_requests(hash), member)
  return group_settle(hash, place) and moves ~= '0'
end

-- A member of a group was granted: the group has not wandered in vain.
local function group_served(hash, member)
  if group_leave(hash, member) then
    call('HSET', group_key(hash), 'moves', 0)
  end
  reservation_end_if(hash)
end

-- `queue` and `job`: of runs.
local function group_hash(limited, queue, job)
  return redis.sha1hex(queue and limited .. ' queue=' .. queue .. ' job=' .. job or limited)
end

-- Whether a limit was added since that decides for some of the group's requests and not for others.
local function group_lacks(hash, limited)
  local has = ' ' .. call('HGET', group_key(hash), 'needs') .. ' '
  for need in string.gmatch(limited, '[^ ]+') do
    if not string.find(has, ' ' .. need .. ' ', 1, true) then
      return true
    end
  end
  return false
end

-- Puts a member into its group; a new group goes to the place that blocks it. All types are proven by reads before the
-- first write. Returns the group's hash.
local function group_join(member, limited, score, place, queue, job)
  local hash = group_hash(limited, queue, job)
  local known = call('HGET', group_key(hash), 'place')
  local first = group_first(hash)
  group_prove(known or place)
  call('ZADD', group_requests(hash), digits(score), member)
  if not known then
    call('HSET', group_key(hash), 'needs', limited, 'moves', 0)
    if queue then
      call('HSET', group_key(hash), 'queue', queue, 'job', job)
    end
    group_place(hash, place, digits(score))
  elseif first ~= group_first(hash) then
    group_settle(hash, known)
  end
  return hash
end

-- Proves the type of a session's requests once a call: memo.requests_proven[session].
local function requests_prove(session)
  if not memo.requests_proven[session] then
    call('HLEN', requests_key(session))
    memo.requests_proven[session] = true
  end
end

-- A request of a session waits in line. `from` is a line that says who and since.
local function request_file(session, n, words, limited, score, from, place)
  requests_prove(session)
  local hash = group_join(session .. '/' .. digits(n), limited, score, place)
  local line = words .. ' order=' .. digits(score) .. ' group=' .. hash .. ' holder=' .. word(from, 'holder')
    .. ' since=' .. word(from, 'since')
  call('HSET', requests_key(session), digits(n), line)
  return hash
end

-- Takes whatever waits under a number of a session out of where it waits: a request, or a take.
local function request_take_out(session, n, line)
  local hash = word(line, 'group')
  if hash then
    group_leave(hash, session .. '/' .. digits(n))
  else
    take_leave(session, n, line)
  end
  call('HDEL', requests_key(session), digits(n))
end
