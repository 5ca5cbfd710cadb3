-- What blocks a request, in an answer of its own: so that an error costs no second call, and `why` says the same.
-- Reads only.

local function holder_of(member, since)
  local session, n = string.match(member, '^(.-)/(%d+)')
  local line = session and call('HGET', leases_key(session), n)
  return { lease = session and session .. '/' .. n or member, name = line and word(line, 'holder') or 'unknown',
    run = line and word(line, 'run') or nil, since = tonumber(since) / 1000 }
end

-- Up to three of the oldest holders of a limit: { lease, name, run (where it holds for one), since in seconds }.
local function holders_of(limit)
  local found = call('ZRANGE', key('slots:' .. limit), 0, 30, 'WITHSCORES')
  local holders, seen = {}, {}
  for i = 1, #found, 2 do
    local lease = string.gsub(found[i], ':%d+$', '')
    if not seen[lease] and #holders < 3 then
      seen[lease] = true
      holders[#holders + 1] = holder_of(lease, found[i + 1])
    end
  end
  return holders
end

-- How many requests are before this order at a limit.
local function waiting_before(limit, score)
  local count = 0
  for _, hash in ipairs(call('ZRANGE', key('waiters:' .. limit), 0, 99)) do
    count = count + call('ZCOUNT', key('group:' .. hash .. ':requests'), '-inf', '(' .. digits(score))
  end
  return count
end

-- Seconds on the lease clock since the session of a limit's oldest holder was heard of.
local function silence_of(holders)
  local session = holders[1] and string.match(holders[1].lease, '^(.*)/')
  local expiry = session and tonumber(call('HGET', key('session:' .. session), 'expiry') or '')
  return expiry and math.max(0, (meta.clock + meta.ttl - expiry) / SECOND)
end

local function explain(limit, score)
  local capacity = capacity_of(limit)
  local holders = holders_of(limit)
  return {
    limit = limit, used = call('ZCARD', key('slots:' .. limit)), capacity = capacity < UNLIMITED and capacity or -1,
    holders = #holders > 0 and holders or nil, position = score and waiting_before(limit, score) + 1 or nil,
    silent = silence_of(holders), grace = in_grace() and (meta.grace - meta.clock) / SECOND or nil,
  }
end
