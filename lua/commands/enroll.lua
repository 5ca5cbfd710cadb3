-- enroll: a session says that it works on queues, and which jobs its code has; again whenever something of it changed.
-- Arguments: n, queues ('a,b'), code (of its list of jobs), jobs (list of { name, … } to be stored as job:NAME),
-- worker (one line about it: concurrency, load). Answer: enrolled | unenrolled (its jobs are not known, and not told).
-- Reads and writes: session:ID, workers, workers:QUEUE:CODE, codes:QUEUE, code:QUEUE:CODE, job:NAME, jobs.

local MOST_JOBS = 2000

local function job_fields(told)
  local fields = {}
  for name, value in pairs(told) do
    fields[#fields + 1] = plain_name(name, 'the field of a job')
    fields[#fields + 1] = text(value, 'what is told of a job', LONGEST_NEEDS)
  end
  return fields
end

-- A worker leaves its queues, and its free seats with it: its next take is told that it has to enroll.
local function worker_unenroll(id, worker)
  local requests = call('HGETALL', requests_key(id))
  for i = 1, #requests, 2 do
    if is_take(requests[i + 1]) then
      request_take_out(id, tonumber(requests[i]), requests[i + 1])
    end
  end
  worker_leave(id, worker)
end

local function enroll(n, command)
  local queues, code = one_word(command.queues, 'queues'), plain_name(command.code, 'code')
  local worker = text(command.worker, 'worker')
  local names, stored = {}, {}
  for i, told in ipairs(command.jobs or {}) do
    names[i] = plain_name(told.name, 'job')
    stored[i] = job_fields(told)
  end
  for queue in string.gmatch(queues, '[^,]+') do
    plain_name(queue, 'queue')
  end
  if #names > MOST_JOBS then
    refuse('a worker has at most ' .. MOST_JOBS .. ' jobs')
  end
  is_new(n)
  for queue in string.gmatch(queues, '[^,]+') do
    if not command.jobs and call('EXISTS', key('code:' .. queue .. ':' .. code)) == 0 then
      return { answer = 'unenrolled' } -- the data was lost meanwhile
    end
  end
  for i, name in ipairs(names) do
    call('DEL', key('job:' .. name))
    call('HSET', key('job:' .. name), unpack(stored[i]))
    call('SADD', key('jobs'), name)
  end
  local before = call('HGET', session_key(me.id), 'worker')
  if before and (word(before, 'code') ~= code or word(before, 'queues') ~= queues) then
    worker_unenroll(me.id, before)
  end
  call('HSET', session_key(me.id), 'worker', 'code=' .. code .. ' queues=' .. queues .. ' ' .. worker)
  call('SADD', key('workers'), me.id)
  for queue in string.gmatch(queues, '[^,]+') do
    call('SADD', key('workers:' .. queue .. ':' .. code), me.id)
    call('SADD', key('codes:' .. queue), code)
    if #names > 0 then
      in_chunks('SADD', key('code:' .. queue .. ':' .. code), names)
    end
    queue_mark(queue)
  end
  memo.codes, memo.job_codes = {}, {}
  return { answer = 'enrolled' }
end
