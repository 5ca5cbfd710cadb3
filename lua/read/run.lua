-- run: one run with its ops, and what keeps it where it is.
-- Question: run { id } -> { row, ops, results; while queued: place, limits (see why), before, served and workers (how
-- many living workers of its queue have its job, and how many there are), elsewhere (queues whose workers have it),
-- after (rows of the runs it waits for), grace; in progress: session, waiting (by op: the limit it waits for now) }
-- | {}.
-- Reads: run:ID, run:ID:ops, workers, workers:QUEUE:CODE, codes:QUEUE, code:QUEUE:CODE, line:QUEUE:JOB, as why does.

local SHOWN = {
  'status', 'job', 'queue', 'location', 'tags', 'priority', 'attempt', 'max_attempts', 'max_runtime', 'submitted',
  'granted', 'started', 'ended', 'lease', 'token', 'worker', 'reason', 'by', 'needs', 'pools', 'order', 'after',
  'group', 'config',
}
local MOST_WORKERS = 100 -- looked at for who else has a job, or lives

local function run_row(id)
  local row, there = { id = id }, false
  for i, value in ipairs(call('HMGET', run_key(id), unpack(SHOWN))) do
    local field = SHOWN[i]
    row[field] = value ~= '' and value or nil
    there = there or value
  end
  return there and row or nil
end

-- Living workers of a queue that have one of these codes; more than 100 count as living.
local function workers_living(queue, codes)
  local count = 0
  for _, code in ipairs(codes) do
    local found = call('SMEMBERS', key('workers:' .. queue .. ':' .. code))
    for i, id in ipairs(found) do
      count = count + ((i > MOST_WORKERS or is_alive(id)) and 1 or 0)
    end
    rows_left = rows_left - math.min(#found, MOST_WORKERS)
  end
  return count
end

-- Queues other than its own whose workers have a job.
local function served_elsewhere(queue, job)
  local queues, seen = {}, { [queue] = true }
  for i, id in ipairs(call('SMEMBERS', key('workers'))) do
    local worker = i <= MOST_WORKERS and is_alive(id) and call('HGET', session_key(id), 'worker') or ''
    each_queue(worker, function(other, code)
      if not seen[other] and call('SISMEMBER', key('code:' .. other .. ':' .. code), job) == 1 then
        seen[other] = true
        queues[#queues + 1] = other
      end
    end)
  end
  return rows_or_nil(queues)
end

-- How many runs of a job wait before this order for a free seat.
local function before_in_line(place, order)
  local count = 0
  for _, hash in ipairs(call('ZRANGE', key(place), 0, 99)) do
    count = count + call('ZCOUNT', group_requests(hash), '-inf', '(' .. order)
  end
  return count
end

local function queued_facts(reply, row)
  local queue, job = row.queue, row.job
  reply.grace = in_grace() and (meta.grace - meta.clock) / SECOND or nil
  reply.served, reply.workers = workers_living(queue, codes_for(queue, job)), workers_living(queue, codes_of(queue))
  reply.elsewhere = reply.served == 0 and served_elsewhere(queue, job) or nil
  local after = {}
  for other in string.gmatch(row.after or '', '[^ ]+') do
    after[#after + 1] = run_row(other)
  end
  reply.after = rows_or_nil(after)
  if row.group then
    reply.place = call('HGET', group_key(row.group), 'place') or nil
    reply.limits = needs_explained(run_words(row.needs, row.pools), row.group, tonumber(row.order))
    reply.before = line_of(reply.place or '') and before_in_line(reply.place, row.order) or 0
  end
end

-- Which limits its ops wait for now: their requests may have moved since their worker was told. A worker names the
-- holder of an op `HOST:PID:run-ID.OP`.
local function ops_waiting(session, id)
  local waiting_for, mark = {}, ':run-' .. id .. '.'
  local _, found = page_of('HSCAN', requests_key(session), '0')
  for i = 2, #found, 2 do
    local holder, hash = word(found[i], 'holder') or '', word(found[i], 'group')
    local from, to = string.find(holder, mark, 1, true)
    local place = from and hash and call('HGET', group_key(hash), 'place')
    if place then
      waiting_for[string.sub(holder, to + 1)] = string.match(place, '^waiters:(.*)$')
    end
  end
  return next(waiting_for) and waiting_for or nil
end

local function read_run(question)
  local id = plain_name(question.id, 'run')
  local row = run_row(id)
  if not row then
    return {}
  end
  local reply = { row = row, ops = {}, results = call('HGET', run_key(id), 'results') or nil }
  local ops = call('HGETALL', run_key(id) .. ':ops')
  for i = 1, #ops, 2 do
    reply.ops[ops[i]] = ops[i + 1]
  end
  reply.ops = next(reply.ops) and reply.ops or nil
  if row.status == 'QUEUED' and row.needs and row.queue and row.job and row.order then
    queued_facts(reply, row)
  elseif row.lease then
    local session = string.match(row.lease, '^(.*)/') or ''
    reply.session, reply.waiting = session_row(session), ops_waiting(session, id)
  end
  return reply
end
