-- doctor, runs: that the record of each, the indexes it stands in, its group or its lease, and its timers agree.
-- Reads: run:ID, runs:STATUS, queued:LIMIT, group:HASH, group:HASH:requests, session:ID:leases, timers.

-- Whether a queued run is a member of the group that it names.
local function run_filed(run)
  local hash = call('HGET', run_key(run.id), 'group')
  if not hash or hash == '' then
    return false
  end
  local queue, job = unpack(call('HMGET', group_key(hash), 'queue', 'job'))
  local score = tonumber(call('ZSCORE', group_requests(hash), 'run:' .. run.id) or '')
  return queue == run.queue and job == run.job and score == tonumber(run.order)
end

-- Whether a run waits for another rightly: that one is not over, and knows who follows it.
local function run_follows(id, other)
  local status, followers = unpack(call('HMGET', run_key(other), 'status', 'next'))
  return status and not FINISHED[status] and string.find(' ' .. (followers or '') .. ' ', ' ' .. id .. ' ', 1, true)
end

-- The lease that a run in progress names, where that lease is for it.
local function lease_of_run(run)
  local session, n, line = run_lease(run)
  if line and word(line, 'run') == run.id and word(line, 'token') == run.token then
    return session, n, line
  end
end

-- The timer that must be set for a run: what, and for how many seconds; or nil.
local function timer_due(run)
  local runtime = tonumber(run.max_runtime or '') or 0
  if run.status == 'CANCELING' then
    return 'cancel', tonumber(setting('cancel_timeout') or '') or 180 -- as in ended.lua
  elseif run.status == 'STARTED' and runtime > 0 then
    return 'runtime', runtime
  end
end

local function examine_queued_run(run)
  each_index(run.needs, function(index)
    if tonumber(call('ZSCORE', key(index), run.id) or '') ~= tonumber(run.order) then
      find('run_unqueued', index, { name = run.id })
    end
  end)
  if not run.after then
    if not run_filed(run) then
      find('run_unfiled', 'run:' .. run.id, { name = run.id })
    end
    return
  end
  for other in string.gmatch(run.after, '[^ ]+') do
    if not run_follows(run.id, other) then
      find('run_stranded', 'run:' .. run.id, { name = run.id, other = other })
      return
    end
  end
end

local function examine_run_in_progress(run)
  if not lease_of_run(run) then
    find('run_leaseless', 'run:' .. run.id, { name = run.id })
    return
  end
  local what = timer_due(run)
  if what and not call('ZSCORE', key('timers'), what .. ' ' .. run.id .. ' ' .. run.token) then
    find('run_timeless', 'timers', { name = run.id })
  end
end

local function examine_run(id)
  rows_left = rows_left - 6
  if call('EXISTS', run_key(id)) == 0 then
    if call('EXISTS', run_key(id) .. ':ops', run_key(id) .. ':log') > 0 then
      find('run_missing', 'run:' .. id, { name = id })
    end
    return '0'
  end
  local run = run_record(id)
  saw('token', run.token)
  saw('sequence', run.order and tonumber(run.order) % 2 ^ 40)
  local over = FINISHED[run.status]
  if not over and run.status ~= 'QUEUED' and not IN_PROGRESS[run.status]
    or not over and not (run.needs and run.queue and run.job and run.order) then
    find('run_broken', 'run:' .. id, { name = id })
    return '0'
  end
  for _, status in ipairs(STATUSES) do
    if (call('ZSCORE', key('runs:' .. status), id) and true or false) ~= (status == run.status) then
      find('run_unindexed', 'runs:' .. status, { name = id })
    end
  end
  if run.status == 'QUEUED' then
    examine_queued_run(run)
  elseif not over then
    examine_run_in_progress(run)
  end
  return '0'
end

local function examine_run_index(status, cursor)
  local next_cursor, found = page_of('ZSCAN', key('runs:' .. status), cursor)
  for i = 1, #found, 2 do
    if run_status(found[i]) ~= status then
      find('run_unindexed', 'runs:' .. status, { name = found[i] })
    end
  end
  return next_cursor
end

-- Whether a queued run is rightly found by the name of a limit.
local function is_queued_under(id, limit)
  local status, needs = unpack(call('HMGET', run_key(id), 'status', 'needs'))
  return status == 'QUEUED' and string.find(' ' .. (needs or '') .. ' ', ' ' .. limit .. '=1 ', 1, true) ~= nil
end

local function examine_queued(limit, cursor)
  local next_cursor, found = page_of('ZSCAN', key('queued:' .. limit), cursor)
  for i = 1, #found, 2 do
    if not is_queued_under(found[i], limit) then
      find('queued_orphan', 'queued:' .. limit, { name = found[i], limit = limit })
    end
  end
  return next_cursor
end

-- A lease that is for a run: that run must know it, unless it is being taken back.
local function examine_lease_run(name, line)
  local run = word(line, 'run')
  if run and not word(line, 'revoked') then
    local status, token, lease = unpack(call('HMGET', run_key(run), 'status', 'token', 'lease'))
    if not IN_PROGRESS[status] or token ~= word(line, 'token') or lease ~= name then
      find('lease_runless', 'run:' .. run, { name = name, run = run })
    end
  end
end
