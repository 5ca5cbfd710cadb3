-- report: what the ops of a run are at, and lines for its log, from the worker that has it.
-- Arguments: n, run, token; ops (map of op to one line), entries (list of { name, value, … } for the
-- stream) (optional). Answer: reported | stale. Reads and writes: run:ID:ops, run:ID:log.

local function report(n, command)
  local id = plain_name(command.run, 'run')
  is_new(n)
  if call('HGET', run_key(id), 'token') ~= command.token then
    return { answer = 'stale' }
  end
  run_note(id, command.ops, command.entries)
  return { answer = 'reported' }
end
