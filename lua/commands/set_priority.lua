-- set_priority: another place in line for a queued run.
-- Arguments: n, run, priority. Answer: changed { before } | over { status } | missing { run }.
-- Reads and writes: run:ID, and through queued.lua.

local function set_priority(n, command)
  local id, priority = plain_name(command.run, 'run'), whole(command.priority, 'priority', -4096, 4095)
  local run = run_record(id)
  is_new(n)
  if not run.status then
    return { answer = 'missing', run = id }
  elseif run.status ~= 'QUEUED' then
    return { answer = 'over', status = run.status }
  end
  local before, hash = unpack(call('HMGET', run_key(id), 'priority', 'group'))
  local order = (4095 - priority) * 2 ^ 40 + tonumber(run.order) % 2 ^ 40
  call('HSET', run_key(id), 'priority', digits(priority), 'order', digits(order))
  queued_add(id, run.needs, digits(order))
  if hash and hash ~= '' then
    run_take_out(id, hash)
    run_file(id, run_words(run.needs, run.pools), run.queue, run.job, order)
  end
  return { answer = 'changed', before = tonumber(before) }
end
