-- release: ends one lease of the calling session. What is not there any more is released already.
-- Arguments: n, lease (its N), token. Answer: released | gone. Reads and writes: session:ID:leases, slots:LIMIT.

local RELEASED, GONE = { answer = 'released' }, { answer = 'gone' }

local function release(command)
  local lease = whole(command.lease, 'lease', 1, LARGEST)
  local line = lease_line(lease)
  if not line or string.match(line, ' token=(%d+)') ~= command.token then
    return GONE
  end
  lease_over(me.id, lease, line)
  memo.lease_lines[lease] = false
  answer_keep(lease, 'over')
  return RELEASED
end
