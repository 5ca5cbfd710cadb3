-- What every read builds on: `meta` as it stands, pages of a bounded number of rows, sessions as rows.
-- Reads: meta, session:ID, session:ID:leases, session:ID:requests, session:ID:aside. Writes nothing, and never steps
-- the lease clock: looking changes nothing.

local MOST_ROWS = 200 -- entries a call looks at: some 2 ms, so that looking at a big namespace holds nobody up
local MOST_MEMBERS = 1000 -- slots read for the oldest holders: one lease may have as many
local rows_left = MOST_ROWS
local meta_known = false

-- The members that a lease has in the set of a limit.
local function slot_members(session, n, slots)
  local first = session .. '/' .. digits(n)
  local members = { first }
  for i = 2, slots do
    members[i] = first .. ':' .. i
  end
  return members
end

local function meta_read()
  local time = call('TIME')
  now = tonumber(time[1]) * SECOND + tonumber(time[2])
  meta_known = meta_load()
end

-- Seconds since anyone called: the lease clock stands still meanwhile.
local function quiet()
  return meta_known and math.max(0, (now - meta.wall) / SECOND) or 0
end

-- One page of a hash or sorted set: the next cursor ('0' at its end), and pairs in one list.
local function page_of(command, name, cursor)
  if not string.match(cursor, '^%d+$') then
    refuse('a cursor is a number')
  end
  local page = call(command, name, cursor, 'COUNT', math.max(10, math.min(math.floor(rows_left), 100)))
  rows_left = rows_left - #page[2] / 2
  return page[1], page[2]
end

-- Visits named things from their cursors on until no rows are left to read; what is left comes back to be asked again.
-- `visit(name, cursor)` returns the next cursor, '0' when it is through.
local function worked_off(todo, visit)
  local left = {}
  for _, item in ipairs(todo or {}) do
    local name, cursor = text(item[1], 'name', 1024), text(item[2], 'cursor', 32)
    if rows_left > 0 then
      rows_left = rows_left - 1
      cursor = visit(name, cursor)
      if cursor ~= '0' then
        left[#left + 1] = { name, cursor }
      end
    else
      left[#left + 1] = { name, cursor }
    end
  end
  return #left > 0 and left or nil
end

local function rows_or_nil(rows)
  return #rows > 0 and rows or nil
end

-- How many requests of a session wait. A worker's free seats wait for no limit: they are left out, where they can be
-- counted in bounded time.
local function waiting_count(id, worker)
  local count = call('HLEN', requests_key(id)) + call('HLEN', session_key(id) .. ':aside')
  if worker and count > 0 and count <= MOST_ROWS then
    rows_left = rows_left - count
    for _, name in ipairs({ requests_key(id), session_key(id) .. ':aside' }) do
      for _, line in ipairs(call('HVALS', name)) do
        count = count - (is_take(line) and 1 or 0)
      end
    end
  end
  return count
end

-- A session as a row, or nil. `age`: seconds since it was heard of.
local function session_row(id)
  local stored = call('HMGET', session_key(id), 'expiry', 'where', 'program', 'pids', 'started', 'worker')
  local expiry = tonumber(stored[1] or '')
  if not expiry then
    return nil
  end
  return {
    id = id, where = stored[2] or nil, program = stored[3] or nil, pids = stored[4] or nil, started = stored[5] or nil,
    age = math.max(0, (meta.clock + meta.ttl - expiry) / SECOND) + quiet(), alive = is_alive(id),
    leases = call('HLEN', leases_key(id)), waiting = waiting_count(id, stored[6]),
  }
end

-- Up to `most` of a limit's oldest leases: { lease, name, run, since in seconds }.
local function oldest_holders(limit, most)
  local found = call('ZRANGE', key('slots:' .. limit), 0, MOST_MEMBERS - 1, 'WITHSCORES')
  local holders, seen = {}, {}
  for i = 1, #found, 2 do
    local lease = string.gsub(found[i], ':%d+$', '')
    if not seen[lease] then
      seen[lease] = true
      holders[#holders + 1] = holder_of(lease, found[i + 1])
      if #holders == most then
        break
      end
    end
  end
  return rows_or_nil(holders)
end
