-- submit: queues a run. It goes on in this very call if its limits and a worker allow it.
-- Arguments: n, run (its id), job, queue, location, needs, pools, tags, priority, max_attempts, by; args (packed),
-- config, max_runtime, conflict (skip or replace), conflict_limit (tag:KEY=VALUE, not to be there twice) (optional).
-- Answer: queued { run, replaces } | skipped { run } | busy { limit }.
-- Reads and writes: run:ID, runs:STATUS, queued:LIMIT, and through queued.lua.

local MOST_ARGS, MOST_CONFLICTS = 1048576, 64

-- Runs under a limit's name: those in progress, and those queued. Nil where there are more than a call looks at.
local function runs_under(limit)
  local running, queued = {}, call('ZRANGE', key('queued:' .. limit), 0, MOST_CONFLICTS)
  local members = call('ZRANGE', key('slots:' .. limit), 0, MOST_CONFLICTS)
  for _, member in ipairs(members) do
    local session, number = string.match(member, '^(.-)/(%d+)')
    local line = session and call('HGET', leases_key(session), number)
    local run = line and word(line, 'run')
    if run and IN_PROGRESS[run_status(run)] then -- a lease outlives its run while it is taken back
      running[#running + 1] = run
    end
  end
  if #queued > MOST_CONFLICTS or #members > MOST_CONFLICTS then
    return nil
  end
  return running, queued
end

local function run_fields(command)
  local fields = {
    job = plain_name(command.job, 'job'), queue = plain_name(command.queue, 'queue'),
    location = plain_name(command.location, 'location'), needs = text(command.needs or '', 'needs', LONGEST_NEEDS),
    pools = text(command.pools or '', 'pools', LONGEST_NEEDS), tags = text(command.tags or '', 'tags', LONGEST_NEEDS),
    priority = digits(whole(command.priority or 0, 'priority', -4096, 4095)),
    max_attempts = digits(whole(command.max_attempts, 'max_attempts', 1, 1000)), by = one_word(command.by, 'by'),
    config = command.config and text(command.config, 'config', MOST_ARGS) or nil, args = command.args,
  }
  needs_parse(fields.pools ~= '' and fields.pools .. ' ' .. fields.needs or fields.needs)
  if command.max_runtime then
    fields.max_runtime = digits(whole(command.max_runtime, 'max_runtime', 1, LARGEST))
  end
  if type(command.args or '') ~= 'string' or #(command.args or '') > MOST_ARGS then
    refuse('args must be at most 1 MiB, packed')
  end
  fields.args_size = command.args and digits(#command.args)
  return fields
end

-- Cancels what a replacement replaces; returns the runs that it has to wait for.
local function replace(running, queued, by)
  for _, other in ipairs(queued) do
    run_dequeue(run_record(other), 'replaced by a newer run')
  end
  for _, other in ipairs(running) do
    local run = run_record(other)
    if run.status ~= 'CANCELING' then
      run_cancel(run, by, 'replaced by a newer run', 'CANCELED')
    end
  end
  return running
end

local function run_store(id, fields, after)
  local order = (4095 - tonumber(fields.priority)) * 2 ^ 40 + meta.sequence + 1
  local flat = { 'status', 'QUEUED', 'submitted', now_ms, 'order', digits(order), 'attempt', '0' }
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  call('HLEN', run_key(id))
  meta_set('sequence', meta.sequence + 1)
  call('HSET', run_key(id), unpack(flat))
  run_move(id, nil, 'QUEUED', now_ms)
  queued_add(id, fields.needs, digits(order))
  if #after == 0 then
    return run_file(id, run_words(fields.needs, fields.pools), fields.queue, fields.job, order)
  end
  call('HSET', run_key(id), 'after', table.concat(after, ' '))
  for _, other in ipairs(after) do
    local next = call('HGET', run_key(other), 'next')
    call('HSET', run_key(other), 'next', next and next .. ' ' .. id or id)
  end
end

local function submit(n, command)
  local id = plain_name(command.run, 'run')
  is_new(n)
  if run_status(id) then
    return { answer = 'queued', run = id } -- sent again
  end
  local fields, after = run_fields(command), {}
  if command.conflict then
    local limit = text(command.conflict_limit, 'conflict_limit', LONGEST_LIMIT)
    local running, queued = runs_under(limit)
    if not running then
      return { answer = 'busy', limit = limit }
    elseif command.conflict == 'skip' and (#running > 0 or #queued > 0) then
      return { answer = 'skipped', run = running[1] or queued[1] }
    elseif command.conflict == 'replace' then
      after = replace(running, queued, fields.by)
    elseif command.conflict ~= 'skip' then
      refuse('on a conflict a run skips or replaces')
    end
  end
  run_store(id, fields, after)
  return { answer = 'queued', run = id, replaces = #after > 0 and after or nil }
end
