-- retry_run: a finished run goes back into its line, behind what waits there, with as many attempts as it had at first.
-- Arguments: n, run, by. Answer: queued { run } | unfinished { status } | missing { run }.
-- Reads and writes: run:ID, and through queued.lua.

local function retry_run(n, command)
  local id, by = plain_name(command.run, 'run'), one_word(command.by, 'by')
  local run = run_record(id)
  is_new(n)
  if not run.status then
    return { answer = 'missing', run = id }
  elseif not FINISHED[run.status] then
    return { answer = 'unfinished', status = run.status }
  end
  local attempts, priority, budget = unpack(call('HMGET', run_key(id), 'attempt', 'priority', 'attempts'))
  budget = tonumber(budget or run.max_attempts) or 1
  meta_set('sequence', meta.sequence + 1)
  run.order = digits((4095 - (tonumber(priority) or 0)) * 2 ^ 40 + meta.sequence)
  call('HSET', run_key(id), 'order', run.order, 'attempts', digits(budget),
    'max_attempts', digits((tonumber(attempts) or 0) + budget), 'by', by)
  call('HDEL', run_key(id), 'ended', 'reason', 'results', 'ending', 'unstarted')
  run_again(run)
  return { answer = 'queued', run = id }
end
