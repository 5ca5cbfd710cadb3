-- start: a worker begins with a run that it was granted; from here on the attempt counts.
-- Arguments: n, run, token; ops, entries (optional; see report). Answer: started | stale { status }.
-- Reads and writes: run:ID.

local function start(n, command)
  local id = plain_name(command.run, 'run')
  local run = run_record(id)
  is_new(n)
  if run.token ~= command.token or run.status ~= 'STARTING' then
    local same = run.token == command.token and (run.status == 'STARTED' or run.status == 'CANCELING')
    return same and { answer = 'started' } or { answer = 'stale', status = run.status }
  end
  call('HSET', run_key(id), 'status', 'STARTED', 'started', now_ms, 'attempt', (tonumber(run.attempt) or 0) + 1)
  run_move(id, 'STARTING', 'STARTED', now_ms)
  local runtime = tonumber(run.max_runtime or setting('max_runtime') or '') or 0
  if runtime > 0 then
    run_timer('runtime', id, run.token, runtime)
  end
  run_note(id, command.ops, command.entries)
  return { answer = 'started' }
end
