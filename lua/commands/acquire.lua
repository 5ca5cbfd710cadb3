-- acquire: slots of several limits, all or nothing: granted at once, or the request waits in line.
-- Arguments: n, needs ('pool:api=2 pool:database=1'), holder; priority, order (of a request that is sent again), try
-- (optional: once, without waiting).
-- Answer: granted { token, unlimited } | waits { order, limit } | full { limit, used, capacity, holders, ... } |
-- heavy { limit, slots, capacity } | over. Reads and writes: slots.lua, groups.lua.

local HIGHEST_PRIORITY = 4095

-- Whether every limit has room for these needs. Who waits first is another question.
local function has_room(needs)
  for _, need in ipairs(needs) do
    if capacity_of(need[1]) - used_of(need[1]) < need[2] then
      return false
    end
  end
  return true
end

-- Higher priority first, then first come first served, as one number: exact in a double, passed as a number.
local function order_of(command)
  if command.order then
    local order = whole(command.order, 'order', 0, 2 ^ 53)
    meta_set('sequence', math.max(meta.sequence, order % 2 ^ 40))
    return order
  end
  return (HIGHEST_PRIORITY - whole(command.priority or 0, 'priority', -4096, 4095)) * 2 ^ 40 + meta.sequence + 1
end

-- A pool that nobody limited is told, so that its caller can warn once: limits must not fail open silently.
local function unlimited_pool(needs)
  if needs.unlimited == nil then
    needs.unlimited = false
    for _, need in ipairs(needs) do
      if capacity_of(need[1]) == UNLIMITED and string.sub(need[1], 1, 5) == 'pool:' then
        needs.unlimited = need[1]
      end
    end
  end
  return needs.unlimited or nil
end

local function acquire(n, command)
  if not is_new(n) then
    local before = acquired_before(n)
    if before then
      return before
    end
  end
  local words, holder = command.needs or '', one_word(command.holder, 'holder')
  local needs = needs_parse(words)
  local score = (command.order or command.priority) and order_of(command)
  if waiting or in_grace() or not has_room(needs) then
    local answer = not_granted(n, command, words, needs, score or order_of(command), holder)
    if answer then
      return answer
    end
  end
  lease_prepare(me.id, needs)
  local token = next_token()
  lease_grant(me.id, n, words, needs, token, holder, now_ms)
  return { answer = 'granted', token = token, unlimited = unlimited_pool(needs) }
end
