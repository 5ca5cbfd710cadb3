-- repair, workers: free seats, who works on which queue, which jobs there are. What a session says of itself is the
-- truth; what it told of its jobs only it can tell again.
-- Items: session ids; { session, place: QUEUE:CODE or all }; take ids SESSION/N; { take, place }; places; jobs.
-- Reads and writes: session:ID, session:ID:requests, takes:QUEUE:CODE, workers, workers:QUEUE:CODE, codes:QUEUE,
-- code:QUEUE:CODE, jobs, job:NAME, jobs:QUEUE.

local function place_words(place)
  local queue, code = string.match(text(place, 'place', 200), '^([%w_.-]+):([%w_.-]+)$')
  if not queue then
    refuse('a place of workers is called QUEUE:CODE')
  end
  return queue, code
end

local function repair_worker(id)
  local worker = call('HGET', session_key(plain_name(id, 'session')), 'worker')
  if not worker then
    return
  end
  call('SADD', key('workers'), id)
  each_queue(worker, function(queue, code)
    call('SADD', key('workers:' .. queue .. ':' .. code), id)
    call('SADD', key('codes:' .. queue), code)
  end)
end

-- A list of jobs that nobody has goes, with the seats that stand there.
local function repair_code(place)
  local queue, code = place_words(place)
  if call('EXISTS', key('workers:' .. place)) == 0 then
    call('SREM', key('codes:' .. queue), code)
    call('DEL', key('code:' .. place), key('takes:' .. place))
  end
end

-- An index names a session that does not say so: a living one that lost what it said gets it back, others leave.
local function repair_worker_index(item)
  local id, place = plain_name(item.session, 'session'), item.place
  local fine, worker = works_at(id, place)
  if place == 'all' then
    return not worker and call('SREM', key('workers'), id)
  elseif fine then
    return
  end
  local queue, code = place_words(place)
  if is_alive(id) and (not worker or word(worker, 'code') == code) and call('SISMEMBER', key('workers'), id) == 1 then
    local queues = worker and word(worker, 'queues') .. ',' .. queue or queue
    call('HSET', session_key(id), 'worker', 'code=' .. code .. ' queues=' .. queues .. ' concurrency=0')
    return
  end
  call('SREM', key('workers:' .. place), id)
  repair_code(place)
end

-- Its jobs are lost: it is no worker any more, which its next take is told, and then it tells them again.
local function repair_jobs_of(id)
  local worker = call('HGET', session_key(plain_name(id, 'session')), 'worker')
  local missing = false
  each_queue(worker or '', function(queue, code)
    missing = missing or call('EXISTS', key('code:' .. queue .. ':' .. code)) == 0
  end)
  if not missing then
    return
  end
  worker_unenroll(id, worker)
  call('HDEL', session_key(id), 'worker')
end

local function repair_take(id)
  local session, n = lease_id(id)
  local line = call('HGET', requests_key(session), n)
  if line and is_take(line) then
    each_queue(line, function(queue, code)
      call('ZADD', takes_key(queue, code), 'NX', digits(meta.clock), id)
      queue_mark(queue)
    end)
  end
end

local function repair_take_index(item)
  local member, place = text(item.take, 'take', 100), item.place
  place_words(place)
  if not is_seated(member, place) then
    call('ZREM', key('takes:' .. place), member)
  end
end

local function repair_job(name)
  plain_name(name, 'job')
  call(call('EXISTS', key('job:' .. name)) == 1 and 'SADD' or 'SREM', key('jobs'), name)
end

local function repair_line(place)
  line_note(text(place, 'place', 200))
end
