-- Slots and leases: who holds what. ZCARD of a limit's set is its usage; there is no counter that could drift.
-- Reads and writes: slots:LIMIT, session:ID:leases.
-- Invariants: a usage is read before the first gathered change of it counts; writes are gathered for the whole call,
-- one ZADD or ZREM a limit and one HSET or HDEL a session, and only for keys whose type a read of this call has
-- proven. Members of a limit: SESSION/N, and SESSION/N:2 and so on for further slots.

local MOST_UNPACKED = 4000 -- values: more overflow Lua's stack; even, since scores and members go in pairs
local waiting = false -- whether any place is in use; while none is, precedence and `undrained` are skipped
local used = {} -- by limit, as read, then as changed in this call
local slots_added, slots_removed, leases_added, leases_removed = {}, {}, {}, {}

local function slots_key(limit)
  return prefix .. 'slots:' .. limit
end

local function used_of(limit)
  local count = used[limit]
  if not count then
    count = call('ZCARD', slots_key(limit))
    used[limit] = count
  end
  return count
end

local function gathered(into, name)
  local list = into[name]
  if not list then
    list = {}
    into[name] = list
  end
  return list
end

local function leases_key(session)
  return prefix .. 'session:' .. session .. ':leases'
end

-- Proves the type of a session's leases once a call: memo.leases_proven[session].
local function lease_prove(session)
  if not memo.leases_proven[session] then
    call('HLEN', leases_key(session))
    memo.leases_proven[session] = true
  end
end

local function lease_needs(line)
  return needs_parse(string.sub(line, 1, string.find(line, ' token=', 1, true) - 1))
end

-- Reads whatever lease_grant will change; call it before anything is gathered or published.
local function lease_prepare(session, needs)
  lease_prove(session)
  for _, need in ipairs(needs) do
    used_of(need[1])
  end
end

-- `more`: further words of its line, each behind a blank.
local function lease_grant(session, n, words, needs, token, holder, since, more)
  local number = digits(n)
  local id = session .. '/' .. number
  for _, need in ipairs(needs) do
    local limit, slots = need[1], need[2]
    local list = gathered(slots_added, limit)
    used[limit] = used[limit] + slots
    list[#list + 1] = since
    list[#list + 1] = id
    for i = 2, slots do
      list[#list + 1] = since
      list[#list + 1] = id .. ':' .. i
    end
  end
  local leases = gathered(leases_added, session)
  leases[#leases + 1] = number
  leases[#leases + 1] = words .. ' token=' .. token .. ' holder=' .. holder .. ' since=' .. since
    .. (more or '')
end

-- Ends a lease, once a call (memo.leases_over); the places of its limits may have room now (places.lua marks them).
local function lease_end(session, n, line, mark)
  local number = digits(n)
  local id = session .. '/' .. number
  if memo.leases_over[id] then
    return
  end
  local needs = lease_needs(line)
  lease_prepare(session, needs)
  memo.leases_over[id] = true
  for _, need in ipairs(needs) do
    local limit, slots = need[1], need[2]
    local list = gathered(slots_removed, limit)
    local left = used[limit] - slots
    used[limit] = left > 0 and left or 0
    list[#list + 1] = id
    for i = 2, slots do
      list[#list + 1] = id .. ':' .. i
    end
    if waiting then
      mark('waiters:' .. limit)
    end
  end
  local leases = gathered(leases_removed, session)
  leases[#leases + 1] = number
end

local function in_chunks(command, name, list)
  if #list <= MOST_UNPACKED then
    return call(command, name, unpack(list))
  end
  for first = 1, #list, MOST_UNPACKED do
    call(command, name, unpack(list, first, math.min(first + MOST_UNPACKED - 1, #list)))
  end
end

local function slots_write()
  for limit, members in pairs(slots_removed) do
    in_chunks('ZREM', slots_key(limit), members)
  end
  for limit, members in pairs(slots_added) do
    in_chunks('ZADD', slots_key(limit), members)
  end
  for session, list in pairs(leases_removed) do
    in_chunks('HDEL', leases_key(session), list)
  end
  for session, list in pairs(leases_added) do
    in_chunks('HSET', leases_key(session), list)
  end
end
