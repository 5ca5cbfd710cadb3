-- reassert: in a grace, a living holder brings back what the data lost: its leases, even above a limit (a debt that
-- drains), and the capacities of their limits, the highest config version first.
-- Arguments: n, leases (list of { lease, needs, token, holder, since in ms }), limits (list of { limit, capacity, info }),
-- config. Answer: reasserted. Reads and writes: slots.lua, limits, limits:info, meta.

local function reassert_limit(told, config)
  local limit = text(told.limit, 'limit', 1024)
  local capacity = whole(told.capacity, 'capacity', 0, 1000000)
  local known = call('HGET', key('limits:info'), limit)
  local version = tonumber(known and word(known, 'version') or '') or 0
  if call('HEXISTS', key('limits'), limit) == 0 or (tonumber(word(told.info or '', 'version') or '') or 0) > version then
    call('HSET', key('limits'), limit, digits(capacity))
    call('HSET', key('limits:info'), limit, text(told.info or 'origin=hand version=' .. digits(config), 'info'))
    capacities[limit] = capacity
  end
end

local function reassert_lease(told)
  local n = whole(told.lease, 'lease', 1, LARGEST)
  local token = whole(told.token, 'token', 1, LARGEST)
  local words = text(told.needs, 'needs', 65536)
  local needs = needs_parse(words)
  local holder, since = one_word(told.holder, 'holder'), digits(whole(told.since, 'since', 0, LARGEST))
  if call('HEXISTS', leases_key(me.id), digits(n)) == 1 then
    return
  end
  local waits = call('HGET', requests_key(me.id), digits(n))
  lease_prepare(me.id, needs)
  if waits then
    request_take_out(me.id, n, waits)
  end
  meta_set('token', math.max(meta.token, token))
  lease_grant(me.id, n, words, needs, digits(token), holder, since)
end

local function reassert(command, alive_there)
  if not in_grace() or not alive_there then
    refuse('the grace is over: nothing can be re-asserted any more')
  end
  local config = whole(command.config or 0, 'config', 0, LARGEST)
  for _, told in ipairs(command.limits or {}) do
    reassert_limit(told, config)
  end
  meta_set('config', math.max(meta.config, config))
  for _, told in ipairs(command.leases or {}) do
    reassert_lease(told)
  end
  return { answer = 'reasserted' }
end
