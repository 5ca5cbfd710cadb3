-- beat: heartbeat, tick and question in one. It tells a window of what its session holds and awaits, read under one
-- lock with the mark of the call.
-- Arguments: low, high (bounds of the window), held, awaited (lists of N); config (version known), host (whose other
-- sessions to tell), gone (sessions whose processes are certainly gone, and the pids that they had), pids, company
-- (who works for this session now, and the number of that list; an older one changes nothing).
-- Answer: beat { granted, unknown, reassert, revoked, canceling, config, limits, neighbours }.
-- Reads and writes: session:ID:leases, session:ID:requests, slots.lua, groups.lua, host:KEY.

local MOST_LISTED, MOST_NEIGHBOURS = 1000, 64

local function append(answer, name, what)
  local list = gathered(answer, name)
  list[#list + 1] = what
end

local function listed_of(command)
  local listed, numbers = {}, {}
  for how, list in pairs({ held = command.held or {}, awaited = command.awaited or {} }) do
    for _, n in ipairs(list) do
      numbers[#numbers + 1] = whole(n, how, 1, LARGEST)
      listed[numbers[#numbers]] = how
    end
  end
  if #numbers > MOST_LISTED then
    refuse('a window holds at most ' .. MOST_LISTED .. ' numbers')
  end
  return listed, numbers
end

-- What the server has in the window below the mark, and the list has not, is given back.
local function give_back_unlisted(low, high, mark, listed)
  local function unlisted(hash_key, finish)
    for _, n in ipairs(call('HKEYS', hash_key)) do
      n = tonumber(n)
      if n >= low and n <= high and n < mark and not listed[n] then
        finish(n, call('HGET', hash_key, digits(n)))
      end
    end
  end
  unlisted(leases_key(me.id), function(n, line)
    lease_over(me.id, n, line)
  end)
  unlisted(requests_key(me.id), function(n, line)
    request_take_out(me.id, n, line)
  end)
end

local function compare(answer, mark, listed, numbers)
  local limits = {}
  if #numbers == 0 then
    return limits
  end
  local lines = call('HMGET', leases_key(me.id), unpack(numbers))
  local requests = call('HMGET', requests_key(me.id), unpack(numbers))
  for i, n in ipairs(numbers) do
    local line = lines[i]
    if line and listed[n] == 'awaited' then
      append(answer, 'granted', granted_before(n, line))
    elseif line and word(line, 'revoked') then
      append(answer, 'revoked', { n = n, by = word(line, 'revoked') })
    elseif line and word(line, 'canceling') then
      append(answer, 'canceling', { n = n, by = word(line, 'canceling') })
    elseif not line and not requests[i] and n < mark then
      append(answer, listed[n] == 'held' and in_grace() and 'reassert' or 'unknown', n)
    end
    if line then
      for _, need in ipairs(lease_needs(line)) do
        limits[need[1]] = true
      end
    end
  end
  return limits
end

-- Capacities and origins of the limits that this session holds: what it will re-assert after a loss.
local function limits_told(limits)
  local told = {}
  for limit in pairs(limits) do
    for _, name in ipairs({ limit, rule_of(limit) }) do
      local capacity = call('HGET', key('limits'), name)
      if capacity then
        told[name] = { capacity = capacity, info = call('HGET', key('limits:info'), name) or nil }
      end
    end
  end
  return next(told) and told or nil
end

local function neighbours_of(host)
  local found
  for _, id in ipairs(call('SRANDMEMBER', key('host:' .. host), MOST_NEIGHBOURS)) do
    local fine, pids = pcall(call, 'HGET', session_key(id), 'pids') -- what is broken of others is not ours to suffer
    if id ~= me.id and fine and pids then
      found = found or {}
      found[id] = pids
    elseif id ~= me.id and fine then
      call('SREM', key('host:' .. host), id)
    end
  end
  return found
end

-- Types, before the first write.
local function prove(host, config_changed)
  lease_prove(me.id)
  requests_prove(me.id)
  if host then
    call('SCARD', key('host:' .. host))
  end
  if config_changed then
    call('HLEN', key('limits'))
    call('HLEN', key('limits:info'))
  end
end

local function beat(command, mark)
  local listed, numbers = listed_of(command)
  local low, high = whole(command.low, 'low', 0, LARGEST), whole(command.high, 'high', 0, LARGEST)
  local config = whole(command.config or 0, 'config', 0, LARGEST)
  local host = command.host and plain_name(command.host, 'host')
  for id in pairs(command.gone or {}) do
    plain_name(id, 'session')
  end
  local pids, company = text(command.pids or '', 'pids'), whole(command.company or 0, 'company', 0, LARGEST)
  prove(host, config ~= meta.config)
  local answer = { answer = 'beat', config = meta.config }
  for id, had in pairs(command.gone or {}) do
    if id ~= me.id and call('HGET', session_key(id), 'pids') == had then -- else others work for it by now
      session_condemn(id)
    end
  end
  if company > 0 and company > (tonumber(call('HGET', session_key(me.id), 'company') or '') or 0) then
    call('HSET', session_key(me.id), 'pids', pids, 'company', digits(company))
  end
  give_back_unlisted(low, high, mark, listed)
  local limits = compare(answer, mark, listed, numbers)
  if config ~= meta.config then
    answer.limits = limits_told(limits)
  end
  if host then
    answer.neighbours = neighbours_of(host)
  end
  return answer
end
