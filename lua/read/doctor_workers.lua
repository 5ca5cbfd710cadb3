-- doctor, workers: that free seats, who works on which queue, and which jobs there are agree.
-- Reads: session:ID, session:ID:requests, takes:QUEUE:CODE, workers, workers:QUEUE:CODE, codes:QUEUE, code:QUEUE:CODE,
-- jobs, job:NAME, jobs:QUEUE, line:QUEUE:JOB.

-- A worker's line, where it says that its session works on a queue with a code; place: 'QUEUE:CODE'.
local function works_at(id, place)
  local worker, found = call('HGET', session_key(id), 'worker'), false
  each_queue(worker or '', function(queue, code)
    found = found or queue .. ':' .. code == place
  end)
  return found, worker
end

local function examine_worker(id, worker)
  if call('SISMEMBER', key('workers'), id) == 0 then
    find('worker_unindexed', 'workers', { name = id })
  end
  each_queue(worker, function(queue, code)
    local place = queue .. ':' .. code
    if call('SISMEMBER', key('workers:' .. place), id) == 0 then
      find('worker_unindexed', 'workers:' .. place, { name = id })
    end
    if call('SISMEMBER', key('codes:' .. queue), code) == 0 then
      find('worker_unindexed', 'codes:' .. queue, { name = id })
    end
    if call('EXISTS', key('code:' .. place)) == 0 then
      find('code_missing', 'code:' .. place, { name = id })
    end
  end)
end

-- Of an index of workers, all of them or those of one place, every member; a page of a set is a list.
local function examine_workers(place, cursor)
  local name = place == 'all' and 'workers' or 'workers:' .. place
  local next_cursor, found = page_of('SSCAN', key(name), cursor)
  for _, id in ipairs(found) do
    local fine, worker = works_at(id, place)
    if not (place == 'all' and worker or fine) then
      find('worker_orphan', name, { name = id, place = place })
    end
  end
  return next_cursor
end

local function examine_codes(queue, cursor)
  local next_cursor, found = page_of('SSCAN', key('codes:' .. queue), cursor)
  for _, code in ipairs(found) do
    if call('EXISTS', key('workers:' .. queue .. ':' .. code)) == 0 then
      find('code_orphan', 'codes:' .. queue, { name = queue .. ':' .. code })
    end
  end
  return next_cursor
end

local function examine_code(place)
  if call('EXISTS', key('workers:' .. place)) == 0 then
    find('code_orphan', 'code:' .. place, { name = place })
  end
  return '0'
end

-- Whether a free seat, SESSION/N, stands rightly in a place.
local function is_seated(member, place)
  local session, n = string.match(member, '^([%w_.-]+)/(%d+)$')
  local line, found = session and call('HGET', requests_key(session), n), false
  if line and is_take(line) then
    each_queue(line, function(queue, code)
      found = found or queue .. ':' .. code == place
    end)
  end
  return found
end

local function examine_takes(place, cursor)
  local next_cursor, found = page_of('ZSCAN', key('takes:' .. place), cursor)
  for i = 1, #found, 2 do
    if not is_seated(found[i], place) then
      find('take_orphan', 'takes:' .. place, { name = found[i], place = place })
    end
  end
  return next_cursor
end

local function examine_take(name, line)
  each_queue(line, function(queue, code)
    if not call('ZSCORE', takes_key(queue, code), name) then
      find('take_unfiled', 'takes:' .. queue .. ':' .. code, { name = name })
    end
  end)
end

-- The lines of a queue, as its index of jobs tells them.
local function examine_lines(queue, cursor)
  local next_cursor, found = page_of('ZSCAN', key('jobs:' .. queue), cursor)
  for i = 1, #found, 2 do
    local place = 'line:' .. queue .. ':' .. found[i]
    if call('EXISTS', key(place)) == 0 then
      find('line_unindexed', 'jobs:' .. queue, { name = place })
    end
  end
  return next_cursor
end

-- A line stands in its queue's index under its first run.
local function examine_line(place)
  local names = line_of(place)
  local head = names and call('ZRANGE', key(place), 0, 0, 'WITHSCORES') or {}
  if head[1] and call('ZSCORE', key('jobs:' .. names[1]), names[2]) ~= head[2] then
    find('line_unindexed', 'jobs:' .. names[1], { name = place })
  end
end

local function examine_jobs(name, cursor)
  local next_cursor, found = page_of('SSCAN', key(name), cursor)
  for _, job in ipairs(found) do
    if call('EXISTS', key('job:' .. job)) == 0 then
      find('job_unindexed', 'jobs', { name = job })
    end
  end
  return next_cursor
end

local function examine_job(name)
  if call('SISMEMBER', key('jobs'), name) == 0 then
    find('job_unindexed', 'jobs', { name = name })
  end
  return '0'
end
