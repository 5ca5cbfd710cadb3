-- begin: makes the calling session; the one it replaces ends there and then.
-- Arguments: n; host (a key: boot and pid namespace), where, program, pids, ttl (seconds); replaces, returning,
-- company (the number of this list of pids; optional).
-- Answer: begun { ttl }. Reads and writes: session:ID, sessions, host:KEY.

local function begin(id, command)
  plain_name(id, 'session')
  local host = plain_name(command.host, 'host')
  local where, program = text(command.where, 'where', 255), text(command.program, 'program', 255)
  local pids = text(command.pids, 'pids')
  local replaces = command.replaces and plain_name(command.replaces, 'session')
  local ttl, company = seconds(command.ttl, 'ttl'), whole(command.company or 0, 'company', 0, LARGEST)
  if me then
    return { answer = 'begun', ttl = meta.ttl / SECOND }
  end
  if command.returning and not in_grace() or replaces == id then
    refuse('this session is over')
  end
  if call('ZSCORE', key('sessions'), id) then
    refuse('this session is over') -- and what it held is not back yet: a late copy must not bring it to life
  end
  call('HLEN', session_key(id)) -- these prove types before the first write
  call('SCARD', key('host:' .. host))
  if replaces then
    session_condemn(replaces)
  end
  if in_grace() and ttl * SECOND > meta.ttl then
    meta_set('ttl', ttl * SECOND) -- after a loss, the longest T of those that come back
  end
  me = { id = id, expiry = 0, mark = 0, highest = 0, answers = '', seen = 0 }
  call('HSET', session_key(id), 'where', where, 'program', program, 'pids', pids, 'host', host,
    'started', digits(now / 1000))
  if company > 0 then
    call('HSET', session_key(id), 'company', digits(company))
  end
  call('SADD', key('host:' .. host), id)
  return { answer = 'begun', ttl = meta.ttl / SECOND }
end
