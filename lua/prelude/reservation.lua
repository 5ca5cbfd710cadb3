-- The starvation guard: a group that was moved between limits 8 times becomes the reserving one; it is first wherever
-- it waits, and room is kept for it. Reads and writes: meta, group:HASH.
-- Invariants: one at a time, so no deadlock; only while each of its limits could fit it and, for runs, a worker of its
-- queue has the job; for at most max(30 s, a quarter of what its first request has waited), then none for as long.

local MOST_MOVES = 8
local reservation_needs -- of the reserving group, as a map, once read

local function group_key(hash)
  return key('group:' .. hash)
end

local function reservation_hash()
  return meta.reserving ~= '' and meta.reserving or nil
end

local function reservation_map(hash)
  local map = {}
  for limit, slots in string.gmatch(call('HGET', group_key(hash), 'needs') or '', '([^ ]+)=(%d+)') do
    map[limit] = tonumber(slots)
  end
  return map
end

-- In the order of the needs, so that the same history gives the same grants.
local function reservation_mark(hash)
  for limit in string.gmatch(call('HGET', group_key(hash), 'needs') or '', '([^ ]+)=%d+') do
    place_mark('waiters:' .. limit)
  end
end

-- Slots of a limit that are kept for the reserving group from everybody else.
local function reservation_keeps(hash, limit)
  local reserving = reservation_hash()
  if not reserving or reserving == hash then
    return 0
  end
  reservation_needs = reservation_needs or reservation_map(reserving)
  return reservation_needs[limit] or 0
end

-- A quarter of what its first request has waited, or its first run.
local function reservation_length(hash)
  local member = call('ZRANGE', key('group:' .. hash .. ':requests'), 0, 0)[1] or ''
  local session, n = string.match(member, '^(.*)/(%d+)$')
  local line = session and call('HGET', key('session:' .. session .. ':requests'), n)
  local run = string.match(member, '^run:(.*)$')
  local since = line and word(line, 'since') or run and call('HGET', run_key(run), 'submitted')
  return math.max(30 * SECOND, (now - (tonumber(since or '') or now / 1000) * 1000) / 4)
end

-- `pause` (µs): how long no other reservation begins.
local function reservation_end(pause)
  local hash = reservation_hash()
  call('HSET', group_key(hash), 'moves', 0)
  meta_set('reserving', '')
  meta_set('reserving_until', meta.clock + pause)
  reservation_needs = nil
  reservation_mark(hash)
end

local function reservation_end_if(hash)
  if reservation_hash() == hash then
    reservation_end(0)
  end
end

local function reservation_may(hash)
  for limit, slots in pairs(reservation_map(hash)) do
    if capacity_of(limit) < slots then
      return false
    end
  end
  local queue, job = unpack(call('HMGET', group_key(hash), 'queue', 'job'))
  return not queue or #codes_for(queue, job) > 0
end

local function reservation_consider(hash, moves)
  if moves < MOST_MOVES or reservation_hash() or meta.reserving_until > meta.clock or not reservation_may(hash) then
    return
  end
  meta_set('reserving', hash)
  meta_set('reserving_until', meta.clock + reservation_length(hash))
  reservation_needs = reservation_map(hash)
  reservation_mark(hash)
end

-- Each call: a reservation that ran out, or that its limits no longer allow, ends.
local function reservation_check()
  local hash = reservation_hash()
  if not hash then
    return
  end
  if meta.reserving_until <= meta.clock then
    reservation_end(reservation_length(hash))
  elseif not reservation_may(hash) then
    reservation_end(0)
  end
end
