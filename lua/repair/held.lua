-- repair, what is held: sessions, slots, timers, hosts. Lease records are the truth; no slot of a living lease is
-- freed. Items: session ids; lease ids SESSION/N; { lease, slots: list of { limit, member } }.
-- Reads and writes: sessions, session:ID, session:ID:leases, slots:LIMIT, host:KEY, timers.

local function lease_id(value)
  local session, n = string.match(text(value, 'lease', 100), '^([%w_.-]+)/(%d+)$')
  if not session then
    refuse('a lease is called SESSION/N')
  end
  return session, n
end

-- A session whose record is gone gets a full T: if it lives it goes on, if not its slots come back in order. Its
-- pids stay unknown: nobody may conclude that they are gone.
local function session_rebuild(id)
  local most = 0
  for _, name in ipairs({ leases_key(id), requests_key(id), session_key(id) .. ':aside' }) do
    for _, n in ipairs(call('HKEYS', name)) do
      most = math.max(most, tonumber(n) or 0)
    end
  end
  local expiry = digits(meta.clock + meta.ttl)
  call('HSET', session_key(id), 'expiry', expiry, 'highest', digits(most), 'where', 'unknown', 'program', 'unknown',
    'started', digits(now / 1000))
end

local function repair_session(id)
  plain_name(id, 'session')
  local name = session_key(id)
  local expiry, host = unpack(call('HMGET', name, 'expiry', 'host'))
  local indexed = tonumber(call('ZSCORE', key('sessions'), id) or '')
  local aside = call('EXISTS', name .. ':aside') == 1
  if not expiry then
    local owns = aside or call('EXISTS', leases_key(id), requests_key(id)) > 0
    if indexed and indexed <= meta.clock or not indexed and not owns then
      return -- it ended: the reaper has it
    end
    session_rebuild(id)
    expiry, indexed = digits(meta.clock + meta.ttl), nil
  end
  if not indexed then
    call('ZADD', key('sessions'), expiry, id)
  end
  if host then
    call('SADD', key('host:' .. host), id)
  end
  call('HSET', name, 'aside', aside and '1' or '')
end

local function repair_lease(id)
  local session, n = lease_id(id)
  local line = call('HGET', leases_key(session), n)
  if not line then
    return
  end
  local since = word(line, 'since')
  for _, need in ipairs(lease_needs(line)) do
    for _, member in ipairs(slot_members(session, tonumber(n), need[2])) do
      call('ZADD', key('slots:' .. need[1]), 'NX', since, member)
    end
  end
  if word(line, 'revoked') then
    call('ZADD', key('timers'), 'NX', digits(meta.clock + meta.ttl), 'revoked ' .. id)
  end
end

-- The slots of a living session whose lease record is gone become a lease again, under a new token: its holder keeps
-- them until its beat no longer lists them. Returns whether it did.
local function lease_rebuild(session, n, slots)
  local counts, names, since = {}, {}, math.huge
  for _, slot in ipairs(slots) do
    local limit = text(slot[1], 'limit', 1024)
    local score = call('ZSCORE', key('slots:' .. limit), text(slot[2], 'member', 200))
    if score then
      if not counts[limit] then
        names[#names + 1] = limit
      end
      counts[limit] = math.max(counts[limit] or 0, tonumber(string.match(slot[2], ':(%d+)$')) or 1)
      since = math.min(since, tonumber(score))
    end
  end
  if #names == 0 then
    return
  end
  local words = {}
  for i, limit in ipairs(names) do -- in the caller's order, which is the order of the names
    words[i] = limit .. '=' .. counts[limit]
  end
  words = table.concat(words, ' ')
  needs_parse(words)
  call('HSET', leases_key(session), n,
    words .. ' token=' .. next_token() .. ' holder=unknown since=' .. digits(since))
  repair_lease(session .. '/' .. n)
end

local function covers(line, limit, member)
  for _, need in ipairs(line and lease_needs(line) or {}) do
    if need[1] == limit then
      return need[2] >= (tonumber(string.match(member, ':(%d+)$')) or 1)
    end
  end
  return false
end

local function repair_orphan(item)
  local session, n = string.match(text(item.lease, 'lease', 1024), '^([%w_.-]+)/(%d+)$')
  local line = session and call('HGET', leases_key(session), n)
  if session and not line and is_alive(session) then
    return lease_rebuild(session, n, item.slots)
  end
  for _, slot in ipairs(item.slots) do
    local limit, member = text(slot[1], 'limit', 1024), text(slot[2], 'member', 1024)
    if not covers(line, limit, member) then
      call('ZREM', key('slots:' .. limit), member)
    end
  end
end
