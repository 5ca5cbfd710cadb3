-- The reaper: what dead sessions held and waited for comes back, a bounded part a call; and timers that ran out.
-- Reads and writes: sessions, timers, session:ID:*, host:KEY, and through ended.lua and groups.lua.
-- Invariant: a session stays in the index `sessions` until nothing of it is left.

local MOST_ENDED = 256 -- leases and requests a call

local function ended_some(hash_key, budget, visit)
  local all = call('HLEN', hash_key) <= budget
  local found = all and call('HGETALL', hash_key) or call('HSCAN', hash_key, 0, 'COUNT', budget)[2]
  for i = 1, #found, 2 do
    visit(tonumber(found[i]), found[i + 1])
  end
  return all and budget - #found / 2 or 0 -- a scan may return fewer than it was asked for, and more than are left
end

local function reap_session(id, budget)
  budget = ended_some(leases_key(id), budget, function(n, line)
    lease_over(id, n, line, true)
  end)
  if budget > 0 then
    budget = ended_some(requests_key(id), budget, function(n, line)
      request_take_out(id, n, line)
    end)
  end
  if budget <= 0 then
    return budget
  end
  session_forget(id)
  call('DEL', session_key(id) .. ':aside')
  call('ZREM', key('sessions'), id)
  return budget
end

local function reap_due(id, budget)
  local expiry = tonumber(call('HGET', session_key(id), 'expiry') or '')
  expiry = expiry and math.max(expiry, meta.since + meta.ttl)
  if expiry and expiry > meta.clock then
    call('ZADD', key('sessions'), digits(expiry), id) -- the index lagged behind
    return budget
  end
  memo.alive[id] = false
  return reap_session(id, budget)
end

-- A revoked lease whose holder did not answer within T; a run that is out of time.
local function timer_over(entry)
  local session, n = string.match(entry, '^revoked (.*)/(%d+)$')
  if session then
    local line = call('HGET', leases_key(session), n)
    if line then
      lease_over(session, tonumber(n), line)
    end
    return
  end
  local what, run, token = string.match(entry, '^(%l+) (%S+) (%d+)$')
  if what then
    run_timer_over(what, run, token)
  end
end

local function lowest(name)
  return tonumber(call('ZRANGE', key(name), 0, 0, 'WITHSCORES')[2] or '') or LARGEST
end

-- Returns whether something is left to do.
local function reap()
  if meta.next > meta.clock then
    return false
  end
  local budget = MOST_ENDED
  for _, id in ipairs(call('ZRANGE', key('sessions'), '-inf', digits(meta.clock), 'BYSCORE', 'LIMIT', 0, 64)) do
    if budget > 0 then
      local fine, result = pcall(reap_due, id, budget)
      if fine then
        budget = result
      else
        broken('session:' .. id, result)
        call('ZREM', key('sessions'), id)
      end
    end
  end
  for _, entry in ipairs(call('ZRANGE', key('timers'), '-inf', digits(meta.clock), 'BYSCORE', 'LIMIT', 0, 64)) do
    local fine, problem = pcall(timer_over, entry)
    if not fine then
      broken(entry, problem)
    end
    call('ZREM', key('timers'), entry)
  end
  meta_set('next', math.min(lowest('sessions'), lowest('timers')))
  return meta.next <= meta.clock
end

local function reap_guarded()
  local reaped, more = pcall(reap)
  if not reaped then
    broken('reaper', more)
  end
  return reaped and more
end
