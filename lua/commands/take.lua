-- take: a free seat of a worker asks for one run. What is granted comes with the reply, or is pushed.
-- Arguments: n, queues ('a,b', in the order in which they are worked on), code (of the worker, as enrolled), holder.
-- Answer: waits | granted { token, run } | over | unenrolled. Reads and writes: session:ID:requests, takes:QUEUE:CODE.

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

local function take(n, command)
  local before = not is_new(n) and taken_before(n)
  if before then
    return before
  end
  local queues, code = one_word(command.queues, 'queues'), plain_name(command.code, 'code')
  for queue in string.gmatch(queues, '[^,]+') do
    if call('SISMEMBER', key('workers:' .. queue .. ':' .. code), me.id) == 0 then
      answer_keep(n, 'over')
      return { answer = 'unenrolled' }
    end
  end
  call('HLEN', requests_key(me.id))
  local line = 'take code=' .. code .. ' queues=' .. queues .. ' holder=' .. one_word(command.holder, 'holder')
    .. ' since=' .. now_ms
  call('HSET', requests_key(me.id), digits(n), line)
  take_join(me.id, n, line)
  return { answer = 'waits' }
end
