-- Runs: the record of each, and the indexes by status that are written once, at the end of a call.
-- Reads and writes: run:ID, runs:STATUS, queued:LIMIT, timers. Reads: settings.
-- Invariant: a run stands in the index of its status and in no other.

local FINISHED = { SUCCESS = true, FAILURE = true, CANCELED = true }
local IN_PROGRESS = { STARTING = true, STARTED = true, CANCELING = true } -- these hold slots
local MOST_FORGOTTEN = 20 -- finished runs a call
local MOST_LOGGED = 1000 -- lines of one run's log, about
local run_moves -- of this call, by run: { from, to, at }
local run_keep = false -- how many finished runs of a status are kept, where the caller says so
local timers_used -- whether any timer is set, once asked for

-- Found once a call: memo.settings[name]; memo.indexes[needs], the names under which a queued run is found.

local function run_key(id)
  return key('run:' .. id)
end

-- A setting of the namespace that is no limit: `granularity`, `start_timeout`, … ; nil where it is not set.
local function setting(name)
  local settings = memo.settings
  if settings[name] == nil then
    settings[name] = call('HGET', key('settings'), name)
  end
  return settings[name] or nil
end

local function run_status(id)
  return call('HGET', run_key(id), 'status') or nil
end

-- `at`: when, in ms, as text.
local function run_move(id, from, to, at)
  run_moves = run_moves or {}
  local before = run_moves[id]
  run_moves[id] = { before and before[1] or from, to, at }
end

-- Limits by whose names queued runs are found: those of its job and of its tags with their values, not of its location.
local function each_index(needs, visit)
  local names = memo.indexes[needs]
  if not names then
    names = {}
    for limit in string.gmatch(needs, '(tag:[^ ]+)=%d+') do
      if string.find(limit, '=', 1, true) and string.sub(limit, 1, 13) ~= 'tag:location=' then
        names[#names + 1] = 'queued:' .. limit
      end
    end
    memo.indexes[needs] = names
  end
  for _, name in ipairs(names) do
    visit(name)
  end
end

local function queued_add(id, needs, order)
  each_index(needs, function(name)
    call('ZADD', key(name), order, id)
  end)
end

local function queued_remove(id, needs)
  each_index(needs, function(name)
    call('ZREM', key(name), id)
  end)
end

-- What ends something of a run when its time is over, on the lease clock. `what`: start, cancel or runtime.
local function run_timer(what, id, token, span)
  local due = meta.clock + span * SECOND
  timers_used = true
  call('ZADD', key('timers'), digits(due), what .. ' ' .. id .. ' ' .. token)
  if due < meta.next then
    meta_set('next', due)
  end
end

local function run_timers_end(id, token)
  if not token then -- it was never granted
    return
  end
  if timers_used == nil then
    timers_used = call('EXISTS', key('timers')) == 1
  end
  if timers_used then
    local rest = ' ' .. id .. ' ' .. token
    call('ZREM', key('timers'), 'start' .. rest, 'cancel' .. rest, 'runtime' .. rest)
  end
end

local function run_forget(id)
  call('DEL', run_key(id), run_key(id) .. ':ops', run_key(id) .. ':log')
end

-- Of a status that has more finished runs than are kept, the oldest go.
local function runs_trim(status)
  local over = call('ZCARD', key('runs:' .. status)) - run_keep
  if over > 0 then
    local oldest = call('ZRANGE', key('runs:' .. status), 0, math.min(over, MOST_FORGOTTEN) - 1)
    for _, id in ipairs(oldest) do
      run_forget(id)
    end
    call('ZREM', key('runs:' .. status), unpack(oldest))
  end
end

local function runs_write()
  if not run_moves then
    return
  end
  local removed, added = {}, {}
  for id, move in pairs(run_moves) do
    if move[1] ~= move[2] then
      if move[1] then
        local from = gathered(removed, move[1])
        from[#from + 1] = id
      end
      local to = gathered(added, move[2])
      to[#to + 1] = move[3]
      to[#to + 1] = id
    end
  end
  for status, ids in pairs(removed) do
    in_chunks('ZREM', key('runs:' .. status), ids)
  end
  for status, members in pairs(added) do
    in_chunks('ZADD', key('runs:' .. status), members)
    if run_keep and FINISHED[status] then
      runs_trim(status)
    end
  end
end

-- What a run's ops are at, and lines for its log: { op: line }, list of { op, kind, text }.
local function run_note(id, ops, entries)
  if ops and next(ops) then
    local fields = {}
    for op, line in pairs(ops) do
      fields[#fields + 1] = plain_name(op, 'op')
      fields[#fields + 1] = text(line, 'the state of an op')
    end
    call('HSET', run_key(id) .. ':ops', unpack(fields))
  end
  for _, entry in ipairs(entries or {}) do
    call('XADD', run_key(id) .. ':log', 'MAXLEN', '~', MOST_LOGGED, '*', unpack(entry))
  end
end
