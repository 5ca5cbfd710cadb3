-- Lines and takes: runs whose limits have room wait for a free seat, free seats (takes) wait for a run.
-- Reads and writes: jobs:QUEUE, takes:QUEUE:CODE. Reads: line:QUEUE:JOB, codes:QUEUE, code:QUEUE:CODE.
-- A take that finds a run in its own call is never stored: fresh ones are written at the end, if they are left.
-- Invariants: a line holds nothing and keeps nobody waiting; where a line has a run that a take could have,
-- `queue QUEUE` is in `undrained`; a take stands under each of its queues, or under none.

-- Found once a call: memo.lines[place], { queue, job } or false; memo.codes[queue], of its workers;
-- memo.job_codes[queue:job], of the living workers that know the job; memo.takeless[queue and code].

local takes_fresh -- of the calling session in this call, a list of { n, line, …, over } with `first` and `by_n`

local function line_of(place)
  local names = memo.lines[place]
  if names == nil then
    local queue, job = string.match(place, '^line:([^:]+):([^:]+)$')
    names = queue and { queue, job } or false
    memo.lines[place] = names
  end
  return names
end

-- After a line changed: its job stands in the queue's index under its first run, or not at all.
local function line_note(place)
  local names = line_of(place)
  if names then
    local head, order = place_first(place)
    if head then
      call('ZADD', key('jobs:' .. names[1]), digits(order), names[2])
    else
      call('ZREM', key('jobs:' .. names[1]), names[2])
    end
  end
end

local function takes_key(queue, code)
  return key('takes:' .. queue .. ':' .. code)
end

local function codes_of(queue)
  local codes = memo.codes[queue]
  if not codes then
    codes = call('SMEMBERS', key('codes:' .. queue))
    memo.codes[queue] = codes
  end
  return codes
end

-- The codes of a queue's living workers that know a job.
local function codes_for(queue, job)
  local name = queue .. ':' .. job
  local codes = memo.job_codes[name]
  if not codes then
    codes = {}
    for _, code in ipairs(codes_of(queue)) do
      if call('SISMEMBER', key('code:' .. queue .. ':' .. code), job) == 1 then
        codes[#codes + 1] = code
      end
    end
    memo.job_codes[name] = codes
  end
  return codes
end

local function each_queue(line, visit)
  local code = word(line, 'code')
  for queue in string.gmatch(word(line, 'queues') or '', '[^,]+') do
    visit(queue, code)
  end
end

-- The oldest stored take of a queue whose worker has a code, SESSION/N, and its score.
local function take_stored(queue, code)
  local name = takes_key(queue, code)
  if not memo.takeless[name] then
    local first = call('ZRANGE', name, 0, 0, 'WITHSCORES')
    memo.takeless[name] = not first[1]
    return first[1], tonumber(first[2] or '')
  end
end

local function take_fresh(queue, code)
  if not takes_fresh then
    return nil
  end
  while takes_fresh.first <= #takes_fresh and takes_fresh[takes_fresh.first].over do
    takes_fresh.first = takes_fresh.first + 1
  end
  for i = takes_fresh.first, #takes_fresh do
    local take = takes_fresh[i]
    if not take.over and take.code == code and take.queues[queue] then
      return take
    end
  end
end

-- The oldest take of a queue whose worker knows a job: SESSION/N, or a fresh one; nil: there is none.
local function take_for(queue, job)
  local oldest, found
  local codes = codes_for(queue, job)
  for _, code in ipairs(codes) do
    local member, score = take_stored(queue, code)
    if member and (not oldest or score < oldest) then
      oldest, found = score, member
    end
  end
  for i = 1, found and 0 or #codes do
    found = found or take_fresh(queue, codes[i])
  end
  return found
end

-- A take that its session does not know any more.
local function take_drop(queue, job, member)
  for _, code in ipairs(codes_for(queue, job)) do
    call('ZREM', takes_key(queue, code), member)
  end
end

-- The place of the best run that a take of this queue could have now, or nil.
local function line_best(queue)
  local best, place
  for _, code in ipairs(codes_of(queue)) do
    if take_stored(queue, code) or take_fresh(queue, code) then
      local known = key('code:' .. queue .. ':' .. code)
      local jobs = call('ZINTER', 2, key('jobs:' .. queue), known, 'WEIGHTS', 1, 0, 'WITHSCORES')
      if jobs[1] and (not best or tonumber(jobs[2]) < best) then
        best, place = tonumber(jobs[2]), 'line:' .. queue .. ':' .. jobs[1]
      end
    end
  end
  return place
end

local function queue_mark(queue)
  if waiting then
    undrained_add('queue ' .. queue)
  end
end

-- A free seat waits under each queue of its line: 'take code=HASH queues=a,b since=…'.
local function take_store(session, n, line)
  local member = session .. '/' .. digits(n)
  each_queue(line, function(queue, code)
    call('ZADD', takes_key(queue, code), digits(meta.clock), member)
    memo.takeless[takes_key(queue, code)] = false
  end)
end

local function take_join(session, n, line)
  take_store(session, n, line)
  each_queue(line, queue_mark)
end

local function is_take(line)
  return string.sub(line, 1, 5) == 'take '
end

-- What came in this call and is left: its queues were worked off, or are in `undrained` still.
local function takes_write()
  for _, take in ipairs(takes_fresh or {}) do
    if not take.over then
      call('HSET', requests_key(me.id), digits(take.n), take.line)
      take_store(me.id, take.n, take.line)
    end
  end
end

local function take_leave(session, n, line)
  local member = session .. '/' .. digits(n)
  each_queue(line, function(queue, code)
    call('ZREM', takes_key(queue, code), member)
  end)
end
