-- reassert: in a grace, a living holder brings back what the data lost: its leases, even above a limit (a debt that
-- drains), and the capacities of their limits, the highest config version first.
-- Arguments: n, leases (list of { lease, needs, token, holder, since in ms, run }), limits (list of { limit, capacity,
-- info }), config. Answer: reasserted. Reads and writes: slots.lua, limits, limits:info, meta.

-- All is checked, and all types are proven, before the first write.
local function checked_limit(told, config)
  local limit = text(told.limit, 'limit', LONGEST_LIMIT)
  local capacity = digits(whole(told.capacity, 'capacity', -1, 1000000))
  local info = text(told.info or 'origin=hand version=' .. digits(config), 'info')
  local known, known_info = call('HGET', key('limits'), limit), call('HGET', key('limits:info'), limit)
  local version = tonumber(known_info and word(known_info, 'version') or '') or 0
  local newer = (tonumber(word(info, 'version') or '') or 0) > version
  return { limit = limit, capacity = capacity, info = info, wins = not known or newer }
end

local function checked_lease(told)
  local n, token = whole(told.lease, 'lease', 1, LARGEST), whole(told.token, 'token', 1, LARGEST)
  local words, holder = told.needs or '', one_word(told.holder, 'holder')
  local since = digits(whole(told.since, 'since', 0, LARGEST))
  local needs = needs_parse(words)
  lease_prepare(me.id, needs)
  local there = call('HEXISTS', leases_key(me.id), digits(n)) == 1
  local waits = call('HGET', requests_key(me.id), digits(n))
  return {
    n = n, token = token, words = words, needs = needs, holder = holder, since = since, there = there, waits = waits,
    run = type(told.run) == 'table' and plain_name(told.run.id, 'run') and told.run or nil,
  }
end

local function bring_back(lease)
  meta_set('token', math.max(meta.token, lease.token))
  if lease.there or memo.reasserted[lease.n] then -- told twice, it is held once
    return
  end
  memo.reasserted[lease.n] = true
  if lease.waits then
    request_take_out(me.id, lease.n, lease.waits)
  end
  local token, run = digits(lease.token), lease.run
  lease_grant(me.id, lease.n, lease.words, lease.needs, token, lease.holder, lease.since, run and ' run=' .. run.id)
  if run then
    run_reassert(run, me.id .. '/' .. digits(lease.n), { token = token, holder = lease.holder, since = lease.since })
  end
end

local function reassert(command, alive_there)
  if not in_grace() or not alive_there then
    refuse('the grace is over: nothing can be re-asserted any more')
  end
  local config = whole(command.config or 0, 'config', 0, LARGEST)
  local limits, leases = {}, {}
  for i, told in ipairs(command.limits or {}) do
    limits[i] = checked_limit(told, config)
  end
  for i, told in ipairs(command.leases or {}) do
    leases[i] = checked_lease(told)
  end
  for _, limit in ipairs(limits) do
    if limit.wins then
      call('HSET', key('limits'), limit.limit, limit.capacity)
      call('HSET', key('limits:info'), limit.limit, limit.info)
      capacity_note(limit.limit, limit.capacity)
    end
  end
  meta_set('config', math.max(meta.config, config))
  for _, lease in ipairs(leases) do
    bring_back(lease)
  end
  return { answer = 'reasserted' }
end
