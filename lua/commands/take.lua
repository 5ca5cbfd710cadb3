-- take: a free seat of a worker asks for one run. What is granted comes with the reply, or is pushed.
-- Arguments: n, queues ('a,b', in the order in which they are worked on), code (of the worker, as enrolled), holder.
-- Answer: waits | granted { token, run } | over | unenrolled. Reads and writes: session:ID:requests, takes:QUEUE:CODE.

-- Found once a call: memo.enrolled[queues and code], of the calling session.
local function is_enrolled(queues, code)
  local name = queues .. ' ' .. code
  local enrolled = memo.enrolled
  if enrolled[name] == nil then
    enrolled[name] = true
    for queue in string.gmatch(queues, '[^,]+') do
      local workers = key('workers:' .. queue .. ':' .. code)
      enrolled[name] = enrolled[name] and call('SISMEMBER', workers, me.id) == 1
    end
  end
  return enrolled[name]
end

local function taken_before(n)
  local held = call('HGET', leases_key(me.id), digits(n))
  if held then
    local grant = granted_before(n, held)
    grant.answer = 'granted'
    return grant
  elseif call('HEXISTS', requests_key(me.id), digits(n)) == 1 then
    return { answer = 'waits' }
  end
  return answer_kept(n) and { answer = 'over' } or nil
end

local function take_begin(n, queues, code, holder)
  local take = { n = n, code = code, holder = holder, queues = {} }
  take.line = 'take code=' .. code .. ' queues=' .. queues .. ' holder=' .. holder .. ' since=' .. now_ms
  for queue in string.gmatch(queues, '[^,]+') do
    take.queues[queue] = true
    queue_mark(queue)
  end
  takes_fresh = takes_fresh or { first = 1, by_n = {} }
  takes_fresh[#takes_fresh + 1], takes_fresh.by_n[n] = take, take
end

local function take(n, command)
  local before = not is_new(n) and taken_before(n)
  if before then
    return before
  end
  local queues, code = one_word(command.queues, 'queues'), plain_name(command.code, 'code')
  if not is_enrolled(queues, code) then
    answer_keep(n, 'over')
    return { answer = 'unenrolled' }
  end
  if takes_fresh and takes_fresh.by_n[n] then
    return { answer = 'waits' } -- two copies of one command in one call
  end
  requests_prove(me.id)
  take_begin(n, queues, code, one_word(command.holder, 'holder'))
  return { answer = 'waits' }
end
