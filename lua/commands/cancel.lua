-- cancel: gives up a request of the calling session, whether it waits, was granted, or was not seen yet.
-- Arguments: n, request (its N), explain (optional: say what blocked it). Answer: cancelled { limit, used, ... }.
-- Reads and writes: session:ID:leases, session:ID:requests, session:ID:aside, slots:LIMIT, group:HASH.

local function cancel(command)
  local request = whole(command.request, 'request', 1, LARGEST)
  local line = lease_line(request)
  local waits = call('HGET', requests_key(me.id), digits(request))
  local answer = { answer = 'cancelled' }
  if line then
    lease_over(me.id, request, line)
    memo.lease_lines[request] = false
  elseif waits then
    if command.explain and not is_take(waits) then
      local place = call('HGET', group_key(word(waits, 'group')), 'place')
      answer = explain(string.match(place or '', '^%l+:(.*)$') or 'runs', tonumber(word(waits, 'order')))
      answer.answer = 'cancelled'
    end
    request_take_out(me.id, request, waits)
  else
    call('HDEL', session_key(me.id) .. ':aside', digits(request))
  end
  me.highest = math.max(me.highest, request) -- the request may come yet: it is not new then
  answer_keep(request, 'over')
  return answer
end
