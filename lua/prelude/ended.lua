-- Ended: how a run leaves its lease: finished, back in the queue when its worker is gone, or out of time.
-- Reads and writes: run:ID, and through runs.lua, queued.lua and slots.lua.
-- Invariant: an end names the token of the attempt that it ends; one of an earlier attempt changes nothing.

local MOST_UNSTARTED = 5 -- workers that died before they told that they had begun: it may be what they died of
local CANCEL_TIMEOUT = 180 -- seconds, where the configuration says nothing else
local END = {
  'status', 'token', 'lease', 'needs', 'attempt', 'max_attempts', 'queue', 'job', 'order', 'pools', 'next',
  'ending', 'reason', 'max_runtime', 'after',
}

local function run_record(id)
  local run = { id = id }
  for i, value in ipairs(call('HMGET', run_key(id), unpack(END))) do
    local field = END[i]
    run[field] = value or nil
  end
  return run
end

-- A run that waited for others to end (a replacement) goes into its line when the last of them did.
local function run_follow(id, after)
  local waits, status = unpack(call('HMGET', run_key(id), 'after', 'status'))
  if status ~= 'QUEUED' or not waits then
    return
  end
  local rest = {}
  for other in string.gmatch(waits, '[^ ]+') do
    if other ~= after then
      rest[#rest + 1] = other
    end
  end
  if #rest > 0 then
    call('HSET', run_key(id), 'after', table.concat(rest, ' '))
    return
  end
  call('HDEL', run_key(id), 'after')
  local run = run_record(id)
  run_file(id, run_words(run.needs, run.pools), run.queue, run.job, tonumber(run.order))
end

-- A run is over. `reason`: one line, of what did not end well; `more`: further fields and their values.
local function run_end(run, status, reason, more)
  call('HSET', run_key(run.id), 'status', status, 'ended', now_ms, 'reason', reason or '', 'lease', '',
    unpack(more or {}))
  run_move(run.id, run.status, status, now_ms)
  run_timers_end(run.id, run.token)
  if run.after or run.next then
    call('HDEL', run_key(run.id), 'after', 'next')
  end
  for id in string.gmatch(run.next or '', '[^ ]+') do
    run_follow(id, run.id)
  end
end

-- Back into its line in its old order.
local function run_again(run)
  call('HSET', run_key(run.id), 'status', 'QUEUED', 'lease', '')
  call('HDEL', run_key(run.id), 'token', 'worker')
  call('DEL', run_key(run.id) .. ':ops') -- of the attempt that is over; its log stays
  run_move(run.id, run.status, 'QUEUED', now_ms)
  run_timers_end(run.id, run.token)
  queued_add(run.id, run.needs, run.order)
  run_file(run.id, run_words(run.needs, run.pools), run.queue, run.job, tonumber(run.order))
end

-- What becomes of a run whose lease ended before it did: its worker died, or gave it back.
local function run_lost(id, token, died)
  local run = run_record(id)
  if run.token ~= token or not IN_PROGRESS[run.status] then
    return
  end
  local attempt, most = tonumber(run.attempt) or 0, tonumber(run.max_attempts) or 1
  if run.status == 'CANCELING' then
    run_end(run, run.ending or 'CANCELED', (run.reason or '') .. ' (its worker was gone before it could end it)')
  elseif run.status == 'STARTED' and attempt >= most then
    run_end(run, 'FAILURE', 'its worker was gone, attempt ' .. attempt .. ' of ' .. most)
  elseif run.status == 'STARTING' and died and call('HINCRBY', run_key(id), 'unstarted', 1) >= MOST_UNSTARTED then
    run_end(run, 'FAILURE', MOST_UNSTARTED .. ' workers died before they told that it had started')
  else
    run_again(run)
  end
end

-- Ends a lease, and what it was for. `died`: its session did not give it back.
local function lease_over(session, n, line, died)
  lease_end(session, n, line, place_mark)
  if string.find(line, ' run=', 1, true) then
    run_lost(word(line, 'run'), word(line, 'token'), died)
  end
end

-- In a grace, a worker brings back a run that it works on: the data may have lost it, or believe that it is queued.
-- One that is over, or that somebody else had later, stays what it is. `lease`: { token, holder, since }, as text.
local function run_reassert(told, member, lease)
  local id, token = plain_name(told.id, 'run'), lease.token
  local run, hash = run_record(id), call('HGET', run_key(id), 'group')
  if run.token and tonumber(run.token) >= tonumber(token) then
    return
  end
  if hash and hash ~= '' then
    run_take_out(id, hash)
  end
  if run.status == 'QUEUED' then
    queued_remove(id, run.needs)
  elseif not run.status then
    local fields = { 'submitted', now_ms, 'args', type(told.args) == 'string' and told.args or '' }
    for _, name in ipairs(TOLD) do
      if type(told[name]) == 'string' then
        fields[#fields + 1] = name
        fields[#fields + 1] = told[name]
      end
    end
    call('HSET', run_key(id), unpack(fields))
  end
  local order = tonumber(run.order or told.order or '') or 0
  meta_set('sequence', math.max(meta.sequence, order % 2 ^ 40))
  local attempt = math.max(tonumber(run.attempt) or 0, (tonumber(told.attempt) or 0) + 1)
  call('HSET', run_key(id), 'status', 'STARTED', 'lease', member, 'token', token, 'attempt', digits(attempt),
    'worker', lease.holder, 'granted', lease.since, 'started', lease.since)
  run_move(id, run.status, 'STARTED', now_ms)
  local runtime = tonumber(run.max_runtime or told.max_runtime or setting('max_runtime') or '') or 0
  if runtime > 0 and not call('ZSCORE', key('timers'), 'runtime ' .. id .. ' ' .. token) then
    run_timer('runtime', id, token, runtime) -- counted anew: when it began is lost
  end
end

-- Takes a lease from its holder: told at once, free when it answers, or after T.
local function lease_revoke(session, n, line, by)
  publish(session, { n = n, revoked = by })
  if not word(line, 'revoked') then
    call('HSET', leases_key(session), digits(n), line .. ' revoked=' .. by)
    call('ZADD', key('timers'), digits(meta.clock + meta.ttl), 'revoked ' .. session .. '/' .. digits(n))
    meta_set('next', math.min(meta.next, meta.clock + meta.ttl))
  end
end

local function run_lease(run)
  local session, n = string.match(run.lease or '', '^(.*)/(%d+)$')
  local line = session and call('HGET', leases_key(session), n)
  return session, tonumber(n), line or nil
end

-- A run in progress is asked to stop, for a while. `ending`: the status that it will have then.
local function run_cancel(run, by, reason, ending)
  local session, n, line = run_lease(run)
  call('HSET', run_key(run.id), 'status', 'CANCELING', 'reason', reason, 'ending', ending)
  run_move(run.id, run.status, 'CANCELING', now_ms)
  run_timer('cancel', run.id, run.token, tonumber(setting('cancel_timeout') or '') or CANCEL_TIMEOUT)
  if line and not word(line, 'canceling') then
    call('HSET', leases_key(session), digits(n), line .. ' canceling=' .. by)
    publish(session, { n = n, canceling = by })
  end
end

-- Time is over for a run: it ends now, and its lease is taken away.
local function run_force(run, status, reason)
  local session, n, line = run_lease(run)
  run_end(run, status, reason)
  if line then
    lease_revoke(session, n, line, 'the-run-is-over')
  end
end

-- A timer of a run that ran out: `start`, `runtime` or `cancel`.
local function run_timer_over(what, id, token)
  local run = run_record(id)
  if run.token ~= token then
    return
  end
  if what == 'start' and run.status == 'STARTING' then
    run_force(run, 'FAILURE', 'it did not start within ' .. (setting('start_timeout') or '?') .. ' s of its grant')
  elseif what == 'runtime' and run.status == 'STARTED' then
    run_cancel(run, 'max_runtime', 'it exceeded its maximum runtime', 'FAILURE')
  elseif what == 'cancel' and run.status == 'CANCELING' then
    run_force(run, run.ending or 'CANCELED', (run.reason or '') .. ' (its worker did not end it in time)')
  end
end
