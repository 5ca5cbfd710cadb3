-- finish: a run ends and its lease with it. The seat that it had asks for the next with a take in the same call. A run
-- that was over before its start was told starts and ends here.
-- Arguments: n, run, token, status (SUCCESS, FAILURE or CANCELED); reason, results (packed), ops, entries (see report),
-- keep (how many finished runs of a status are kept) (optional). Answer: finished { status } | stale { status }.
-- Reads and writes: run:ID, runs:STATUS, and through slots.lua.

local function finish(n, command)
  local id = plain_name(command.run, 'run')
  local status = FINISHED[command.status] and command.status or refuse('a run ends in SUCCESS, FAILURE or CANCELED')
  local reason = text(command.reason or '', 'reason')
  local run = run_record(id)
  is_new(n)
  if run.token ~= command.token or not IN_PROGRESS[run.status] then
    local same = run.token == command.token
    return same and { answer = 'finished', status = run.status } or { answer = 'stale', status = run.status }
  end
  if command.keep then
    run_keep = whole(command.keep, 'keep', 0, LARGEST)
  end
  local session, number, line = run_lease(run)
  if line then
    lease_end(session, number, line, place_mark)
    answer_keep(number, 'over')
  end
  run_note(id, command.ops, command.entries)
  local more = command.results and { 'results', command.results } or {}
  if run.status == 'STARTING' then
    for _, value in ipairs({ 'started', now_ms, 'attempt', (tonumber(run.attempt) or 0) + 1 }) do
      more[#more + 1] = value
    end
  end
  if run.status == 'CANCELING' and status == 'CANCELED' then
    status, reason = run.ending or status, run.reason or reason
  end
  run_end(run, status, reason, more)
  return { answer = 'finished', status = status }
end
