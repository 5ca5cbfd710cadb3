-- The rest of acquire: an id that was seen before, and needs that cannot be granted at once.
-- Answer: see acquire.lua. Reads and writes: session:ID:requests, session:ID:aside, groups.lua.

-- The answer to an id that was seen before, or nil if it was not. A cancel may have come first.
local function acquired_before(n)
  local held = call('HGET', leases_key(me.id), digits(n))
  if held then
    return { answer = 'granted', token = word(held, 'token') }
  end
  local waits = call('HGET', requests_key(me.id), digits(n))
    or call('HGET', session_key(me.id) .. ':aside', digits(n))
  if waits then
    return { answer = 'waits', order = word(waits, 'order') }
  end
  return answer_kept(n) and { answer = 'over' } or nil
end

local function wait_in_line(n, words, needs, limited, score, blocked, holder)
  local since = digits(math.floor(now / 1000))
  request_file(me.id, n, words, limited, score, ' holder=' .. holder .. ' since=' .. since, 'waiters:' .. blocked)
  meta_set('sequence', math.max(meta.sequence, score % 2 ^ 40))
  return { answer = 'waits', order = digits(score), limit = blocked }
end

-- The answer where something keeps the needs from being granted now, or nil.
local function not_granted(n, command, words, needs, score, holder)
  local limit, slots, capacity = too_heavy(needs)
  if limit then
    answer_keep(n, 'over')
    return { answer = 'heavy', limit = limit, slots = slots, capacity = capacity }
  end
  local blocked = in_grace() and needs[1][1] or blocker_of(nil, needs, score)
  if blocked and command.try then
    local answer = explain(blocked, score)
    answer.answer = 'full'
    answer_keep(n, 'over')
    return answer
  end
  return blocked and wait_in_line(n, words, needs, needs_limited(needs), score, blocked, holder)
end
