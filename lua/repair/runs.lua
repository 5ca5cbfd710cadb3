-- repair, runs: indexes, groups and leases from the record of each; what is lost of a record, from its group or lease.
-- Items: run ids; { run, limit }; lease ids SESSION/N.
-- Reads and writes: run:ID, runs:STATUS, queued:LIMIT, session:ID:leases, timers, and through ended.lua and queued.lua.

local WHEN = { QUEUED = 'submitted', STARTING = 'granted', STARTED = 'started', CANCELING = 'granted' } -- else `ended`

local function repair_run_index(id)
  local status = run_status(plain_name(id, 'run'))
  for _, other in ipairs(STATUSES) do
    if other ~= status then
      call('ZREM', key('runs:' .. other), id)
    else
      local since = call('HGET', run_key(id), WHEN[status] or 'ended')
      call('ZADD', key('runs:' .. status), 'NX', since or now_ms, id)
    end
  end
end

-- What a record lost of where its run waits or works, as far as others tell it.
local function run_recall(run, group)
  local session, n, line = run_lease(run)
  local mine = line and word(line, 'run') == run.id
  local queue, job
  if group and group ~= '' then
    queue, job = unpack(call('HMGET', group_key(group), 'queue', 'job'))
  end
  run.needs = run.needs or mine and string.match(line, '^(.-) token=')
  if mine and not run.queue and not queue then
    queue = string.match(call('HGET', session_key(session), 'worker') or '', 'queues=([^, ]+)')
  end
  run.queue = run.queue or queue
  run.job = run.job or job or string.match(run.needs or '', 'tag:job=([^ ]+)=1')
  run.order = run.order or group and call('ZSCORE', group_requests(group), 'run:' .. run.id)
  if not run.order then
    meta_set('sequence', meta.sequence + 1)
    local priority = tonumber(call('HGET', run_key(run.id), 'priority') or '') or 0
    run.order = digits((4095 - priority) * 2 ^ 40 + meta.sequence)
  end
  if run.status ~= 'QUEUED' and not IN_PROGRESS[run.status] then
    run.status = mine and 'STARTED' or 'QUEUED'
  end
end

-- A record that lost a part; one that is gone altogether leaves nothing behind.
local function repair_run(id)
  local run, group = run_record(plain_name(id, 'run')), call('HGET', run_key(id), 'group')
  if call('EXISTS', run_key(id)) == 0 then
    call('DEL', run_key(id) .. ':ops', run_key(id) .. ':log')
  elseif not run.status and call('HEXISTS', run_key(id), 'ended') == 1 then
    call('HSET', run_key(id), 'status', 'FAILURE', 'reason', 'how it ended was lost')
  elseif not FINISHED[run.status] then
    run_recall(run, group)
    if run.needs and run.queue and run.job then
      call('HSET', run_key(id), 'status', run.status, 'needs', run.needs, 'queue', run.queue, 'job', run.job,
        'order', run.order)
    else
      if group and group ~= '' then
        run_take_out(id, group)
      end
      local session, n, line = run_lease(run)
      run_end(run, 'FAILURE', 'what it needs was lost')
      if line then
        lease_revoke(session, n, line, 'doctor')
      end
    end
  end
  repair_run_index(id)
end

local function repair_run_queued(item)
  local id, limit = plain_name(item.run, 'run'), item.limit
  local run = run_record(id)
  if limit and not is_queued_under(id, text(limit, 'limit', 1024)) then
    call('ZREM', key('queued:' .. limit), id)
  elseif run.status == 'QUEUED' then
    queued_add(id, run.needs, run.order)
  end
end

-- A queued run that is not where it says is filed anew; one that waits for others, only for those that are not over.
local function repair_run_waiting(id)
  local run, group = run_record(plain_name(id, 'run')), call('HGET', run_key(id), 'group')
  if run.status ~= 'QUEUED' then
    return
  end
  local rest = {}
  for other in string.gmatch(run.after or '', '[^ ]+') do
    local status, followers = unpack(call('HMGET', run_key(other), 'status', 'next'))
    if status and not FINISHED[status] then
      rest[#rest + 1] = other
      if not run_follows(id, other) then
        call('HSET', run_key(other), 'next', followers and followers .. ' ' .. id or id)
      end
    end
  end
  if #rest > 0 then
    call('HSET', run_key(id), 'after', table.concat(rest, ' '))
  elseif run.after or not run_filed(run) or call('HEXISTS', group_key(group), 'place') == 0 then
    call('HDEL', run_key(id), 'after')
    if group and group ~= '' then
      run_take_out(id, group)
    end
    run_file(id, run_words(run.needs, run.pools), run.queue, run.job, tonumber(run.order))
  end
end

-- A run in progress whose lease is not there: a living worker gets the lease back as its run tells it, and gives it up
-- with its next beat if it does not know it any more; that of a dead one goes back to its queue.
local function repair_run_lease(id)
  local run = run_record(plain_name(id, 'run'))
  if not IN_PROGRESS[run.status] then
    return
  elseif not lease_of_run(run) then
    local session, n, line = run_lease(run)
    if line or not session or not run.token or not is_alive(session) then
      run.token = run.token or '0'
      call('HSET', run_key(id), 'token', run.token)
      return run_lost(id, run.token)
    end
    local holder, since = unpack(call('HMGET', run_key(id), 'worker', 'granted'))
    call('HSET', leases_key(session), digits(n), run_words(run.needs, run.pools) .. ' token=' .. run.token .. ' holder='
      .. (holder or 'unknown') .. ' since=' .. (since or now_ms) .. ' run=' .. id
      .. (run.status == 'CANCELING' and ' canceling=doctor' or ''))
    repair_lease(session .. '/' .. digits(n))
  end
  local what, span = timer_due(run)
  if what and not call('ZSCORE', key('timers'), what .. ' ' .. id .. ' ' .. run.token) then
    run_timer(what, id, run.token, span)
  end
end

-- A lease for a run that does not know it: its worker is told to stop, and the slots come back when it did.
local function repair_lease_run(id)
  local session, n = lease_id(id)
  local line = call('HGET', leases_key(session), n)
  local run = line and word(line, 'run')
  local status, token, lease = unpack(run and call('HMGET', run_key(run), 'status', 'token', 'lease') or {})
  if run and (not IN_PROGRESS[status] or token ~= word(line, 'token') or lease ~= id) then
    lease_revoke(session, tonumber(n), line, 'doctor')
  end
end
