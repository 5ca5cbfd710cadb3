-- revoke: a forced release. The holder is told at once and the slot is free when it answers, or after T; with
-- `at_once` it is free now, and two may work. Audited.
-- Arguments: n, lease (SESSION/N), by, at_once (optional). Answer: revoked { freed, holder } | missing.
-- Reads and writes: session:ID:leases, slots:LIMIT, timers, audit.

local function revoke(command)
  local session, n = string.match(text(command.lease, 'lease', 100), '^([%w_.-]+)/(%d+)$')
  if not session then
    refuse('a lease is called SESSION/N')
  end
  local by = one_word(command.by, 'by')
  local line = call('HGET', leases_key(session), n)
  if not line then
    return { answer = 'missing' }
  end
  local at_once = command.at_once or not is_alive(session)
  lease_prepare(session, lease_needs(line)) -- these prove types before the first write
  call('XLEN', key('audit'))
  call('ZCARD', key('timers'))
  call('XADD', key('audit'), 'MAXLEN', '~', MOST_AUDITED, '*', 'what', 'revoke ' .. command.lease,
    'lease', line, 'by', by,
    'at_once', command.at_once and 'yes' or 'no')
  if at_once then
    publish(session, { n = tonumber(n), revoked = by })
    lease_over(session, tonumber(n), line)
    return { answer = 'revoked', freed = true, holder = word(line, 'holder') }
  end
  lease_revoke(session, tonumber(n), line, by)
  return { answer = 'revoked', freed = false, holder = word(line, 'holder') }
end
