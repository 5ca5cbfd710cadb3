-- runs, log, counts, jobs, workers: runs and who works on them.
-- Questions: runs { status, offset, count; tag ('tag:KEY=VALUE', job too, optional) } -> { rows, next }, the newest
-- first; log { id, after, count } -> { rows, status }; counts {} -> { counts (by status) }; jobs { cursor or name } ->
-- { rows, cursor }; workers {} -> { rows }. Reads: run:ID, run:ID:log, runs:STATUS, job:NAME, jobs, workers.

local STATUSES = { 'QUEUED', 'STARTING', 'STARTED', 'CANCELING', 'SUCCESS', 'FAILURE', 'CANCELED' }
local function has_need(row, limit)
  return string.find(' ' .. (row.needs or ''), ' ' .. limit .. '=1', 1, true) ~= nil
end

local function read_runs(question)
  local status = text(question.status, 'status', 16)
  local offset = whole(question.offset or 0, 'offset', 0, LARGEST)
  local count = whole(question.count or 50, 'count', 1, MOST_ROWS)
  local rows, name = {}, key('runs:' .. status)
  local ids = call('ZRANGE', name, offset, offset + MOST_ROWS - 1, 'REV')
  local looked = 0
  for _, id in ipairs(ids) do
    if #rows == count then
      break
    end
    looked = looked + 1
    local row = run_row(id)
    if row and (not question.tag or has_need(row, question.tag)) then
      row.at = offset + looked - 1
      rows[#rows + 1] = row
    end
  end
  local more = looked < #ids or #ids == MOST_ROWS
  return { rows = rows_or_nil(rows), next = more and offset + looked or nil }
end

local function read_counts()
  local counts = {}
  for _, status in ipairs(STATUSES) do
    counts[status] = call('ZCARD', key('runs:' .. status))
  end
  return { counts = counts }
end

local function read_log(question)
  local id, after = plain_name(question.id, 'run'), text(question.after or '-', 'after', 40)
  local count = whole(question.count or 100, 'count', 1, 1000)
  local from = after == '-' and '-' or '(' .. after
  local rows = {}
  for i, entry in ipairs(call('XRANGE', run_key(id) .. ':log', from, '+', 'COUNT', count)) do
    local row = { id = entry[1] }
    for j = 1, #entry[2], 2 do
      row[entry[2][j]] = entry[2][j + 1]
    end
    rows[i] = row
  end
  return { rows = rows_or_nil(rows), status = run_status(id) }
end

local function job_row(name)
  local row, found = { name = name }, call('HGETALL', key('job:' .. name))
  for i = 1, #found, 2 do
    row[found[i]] = found[i + 1]
  end
  local queue = row.queue or 'default'
  row.workers = workers_living(queue, codes_for(queue, name))
  row.queued = call('ZCARD', key('queued:tag:job=' .. name))
  row.running = call('ZCARD', key('slots:tag:job=' .. name))
  return row
end

local function read_jobs(question)
  local cursor, names = page_of('SSCAN', key('jobs'), text(question.cursor or '0', 'cursor', 32))
  local rows = {}
  for i, name in ipairs(question.name and { plain_name(question.name, 'job') } or names) do
    if not question.name or call('EXISTS', key('job:' .. name)) == 1 then
      rows[i] = job_row(name)
    end
  end
  return { rows = rows_or_nil(rows), cursor = not question.name and cursor ~= '0' and cursor or nil }
end

local function read_workers()
  local rows = {}
  for _, id in ipairs(call('SMEMBERS', key('workers'))) do
    local row = session_row(id)
    if row then
      row.worker = call('HGET', session_key(id), 'worker') or nil
      local runs = {}
      for _, line in ipairs(call('HVALS', leases_key(id))) do
        runs[#runs + 1] = word(line, 'run')
      end
      row.runs = rows_or_nil(runs)
      rows[#rows + 1] = row
    end
  end
  return { rows = rows_or_nil(rows) }
end
