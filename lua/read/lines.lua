-- lines: queued runs that only miss a free seat, by queue and job, and whether anybody there could take them.
-- Question: lines { cursor } -> { rows: { queue, job, runs, since (ms, of the oldest), workers (living ones of the
-- queue that have the job), more (so many groups that `runs` is a lower bound) }, cursor }. Reads: places,
-- line:QUEUE:JOB, group:HASH:requests, run:ID, codes:QUEUE, code:QUEUE:CODE, workers:QUEUE:CODE.

local function line_row(place, queue, job)
  local hashes = call('ZRANGE', key(place), 0, MOST_GROUPS - 1)
  local count, since, arrival = 0, nil, math.huge
  for _, hash in ipairs(hashes) do
    count = count + call('ZCARD', group_requests(hash))
    local group_since, group_arrival = oldest_since(hash)
    if group_since and group_arrival < arrival then
      since, arrival = group_since, group_arrival
    end
  end
  rows_left = rows_left - #hashes - 2
  return {
    queue = queue, job = job, runs = count, since = since, workers = workers_living(queue, codes_for(queue, job)),
    more = #hashes == MOST_GROUPS and call('ZCARD', key(place)) > MOST_GROUPS or nil,
  }
end

local function read_lines(question)
  local cursor, found = page_of('ZSCAN', key('places'), text(question.cursor or '0', 'cursor', 32))
  local rows = {}
  for i = 1, #found, 2 do
    local names = line_of(found[i])
    if names then
      rows[#rows + 1] = line_row(found[i], names[1], names[2])
    end
  end
  return { rows = rows_or_nil(rows), cursor = cursor ~= '0' and cursor or nil }
end
