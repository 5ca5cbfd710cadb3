-- doctor, what is held: that sessions, leases, slots, hosts and timers agree. One session or a page of entries is
-- looked at in one script, so that nothing is reported that is only on its way.
-- Reads: sessions, session:ID, session:ID:leases, slots:LIMIT, host:KEY, timers; of runs and workers see there.

local findings = {}
local highest_seen = { sequence = 0, token = 0, expiry = 0, config = 0 } -- seen: what `meta` must not be behind

local function find(what, where, fields)
  fields = fields or {}
  fields.what, fields.key = what, where
  findings[#findings + 1] = fields
end

local function saw(field, value)
  highest_seen[field] = math.max(highest_seen[field], tonumber(value or '') or 0)
end

-- What cannot be read is a finding, and the rest goes on.
local function guarded(where, check)
  local fine, problem = pcall(check)
  if not fine then
    find('unreadable', where, { detail = describe(problem) })
  end
end

local function examine_session(id)
  local name = 'session:' .. id
  rows_left = rows_left - 4
  local indexed = tonumber(call('ZSCORE', key('sessions'), id) or '')
  local stored = call('HMGET', key(name), 'expiry', 'host', 'aside', 'worker')
  local expiry = tonumber(stored[1] or '')
  local aside = call('EXISTS', key(name) .. ':aside') == 1
  saw('expiry', expiry)
  if not expiry then
    local owns = aside or call('EXISTS', leases_key(id), requests_key(id)) > 0
    if indexed and indexed > meta.clock or owns and not indexed then
      find('session_missing', name, { name = id })
    end
    return '0'
  end
  if not indexed then
    find('session_unindexed', 'sessions', { name = id })
  end
  if stored[2] and call('SISMEMBER', key('host:' .. stored[2]), id) == 0 then
    find('host_missing', 'host:' .. stored[2], { name = id })
  end
  if aside ~= (stored[3] == '1') then
    find('aside_differs', name .. ':aside', { name = id })
  end
  if stored[4] then
    examine_worker(id, stored[4])
  end
  return '0'
end

local function examine_lease(id, n, line)
  local name = id .. '/' .. n
  saw('token', word(line, 'token'))
  rows_left = rows_left - 1
  for _, need in ipairs(lease_needs(line)) do
    local slots = key('slots:' .. need[1])
    rows_left = rows_left - need[2] / 4
    for _, score in ipairs(call('ZMSCORE', slots, unpack(slot_members(id, tonumber(n), need[2])))) do
      if not score then
        find('slots_missing', 'slots:' .. need[1], { name = name })
        break
      end
    end
  end
  if word(line, 'revoked') and not call('ZSCORE', key('timers'), 'revoked ' .. name) then
    find('timer_missing', 'timers', { name = name })
  end
  examine_lease_run(name, line)
end

local function examine_leases(id, cursor)
  local next_cursor, found = page_of('HSCAN', leases_key(id), cursor)
  for i = 1, #found, 2 do
    guarded('session:' .. id .. ':leases', function()
      examine_lease(id, found[i], found[i + 1])
    end)
  end
  return next_cursor
end

-- The lease that a slot belongs to says how many it has: a slot above that, or without a lease, is nobody's.
local function examine_slot(limit, member)
  local session, n, nth = string.match(member, '^([%w_.-]+)/(%d+):?(%d*)$')
  local line = session and call('HGET', leases_key(session), n)
  for _, need in ipairs(line and lease_needs(line) or {}) do
    if need[1] == limit and need[2] >= (tonumber(nth) or 1) then
      return
    end
  end
  local name = session and session .. '/' .. n or member
  find('slot_orphan', 'slots:' .. limit, { name = name, limit = limit, member = member })
end

local function examine_slots(limit, cursor)
  local next_cursor, found = page_of('ZSCAN', key('slots:' .. limit), cursor)
  for i = 1, #found, 2 do
    guarded('slots:' .. limit, function()
      examine_slot(limit, found[i])
    end)
  end
  return next_cursor
end
