-- cancel_run: a queued run is canceled; one in progress is told to stop, and is canceled when its worker says so.
-- Arguments: n, run, by. Answer: canceled | canceling { worker } | over { status } | missing { run }.
-- Reads and writes: run:ID, audit, and through ended.lua.

local function run_dequeue(run, reason)
  local hash = call('HGET', run_key(run.id), 'group')
  if hash and hash ~= '' then
    run_take_out(run.id, hash)
  end
  queued_remove(run.id, run.needs)
  run_end(run, 'CANCELED', reason)
end

local function cancel_run(n, command)
  local id, by = plain_name(command.run, 'run'), one_word(command.by, 'by')
  local run = run_record(id)
  is_new(n)
  if not run.status then
    return { answer = 'missing', run = id }
  elseif FINISHED[run.status] then
    return { answer = 'over', status = run.status }
  end
  call('XADD', key('audit'), 'MAXLEN', '~', MOST_AUDITED, '*', 'what', 'cancel run ' .. id, 'by', by)
  if run.status == 'QUEUED' then
    run_dequeue(run, 'canceled by ' .. by)
    return { answer = 'canceled' }
  end
  if run.status ~= 'CANCELING' then
    run_cancel(run, by, 'canceled by ' .. by, 'CANCELED')
  end
  return { answer = 'canceling', worker = call('HGET', run_key(id), 'worker') or nil }
end
