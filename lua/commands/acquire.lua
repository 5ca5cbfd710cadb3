-- acquire: slots of several limits, all or nothing: granted at once, or the request waits in line.
-- Arguments: n, needs ('pool:api=2 pool:database=1'), holder; priority, order (of a request that is sent again), try
-- (optional: once, without waiting).
-- Answer: granted { token, unlimited } | waits { order, limit } | full { limit, used, capacity, holders, ... } |
-- heavy { limit, slots, capacity } | over. Reads and writes: slots.lua, groups.lua.

local HIGHEST_PRIORITY = 4095

-- Higher priority first, then first come first served, as one number: exact in a double, passed as a number.
local function order_of(command)
  if command.order then
    local order = whole(command.order, 'order', 0, 2 ^ 53)
    meta_set('sequence', math.max(meta.sequence, order % 2 ^ 40))
    return order
  end
  return (HIGHEST_PRIORITY - whole(command.priority or 0, 'priority', -4096, 4095)) * 2 ^ 40 + meta.sequence + 1
end

-- The answer to an id that was seen before, or nil if it was not.
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

-- A pool that nobody limited is told, so that its caller can warn once: limits must not fail open silently.
local function unlimited_pool(needs)
  for _, need in ipairs(needs) do
    if string.sub(need[1], 1, 5) == 'pool:' and capacity_of(need[1]) == UNLIMITED then
      return need[1]
    end
  end
end

local function wait_in_line(n, words, needs, limited, score, blocked, holder)
  local since = digits(math.floor(now / 1000))
  request_file(me.id, n, words, limited, score, ' holder=' .. holder .. ' since=' .. since, 'waiters:' .. blocked)
  meta_set('sequence', math.max(meta.sequence, score % 2 ^ 40))
  return { answer = 'waits', order = digits(score), limit = blocked }
end

local function acquire(n, command)
  local fresh = is_new(n)
  local before = not fresh and acquired_before(n) or fresh and me.answers ~= '' and answer_kept(n) and { answer = 'over' }
  if before then
    return before
  end
  local words = text(command.needs, 'needs', LONGEST_NEEDS)
  local holder = one_word(command.holder, 'holder')
  local needs = needs_parse(words)
  local score = order_of(command)
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
  if blocked then
    return wait_in_line(n, words, needs, needs_limited(needs), score, blocked, holder)
  end
  lease_prepare(me.id, needs)
  local token = next_token()
  lease_grant(me.id, n, words, needs, token, holder, digits(math.floor(now / 1000)))
  return { answer = 'granted', token = token, unlimited = unlimited_pool(needs) }
end
