-- waiters: who waits because of a limit, requests and queued runs alike, as they go on: the first in line first.
-- Question: waiters { limit, count } -> { rows: { id, line, session (a request's) or run (a row of it); slots, state
-- (see why), others: the other limits that keep it, as limit and state in turn }, more }. Reads: waiters:LIMIT,
-- group:HASH, group:HASH:requests, session:ID:requests, run:ID.

local MOST_LINED = 100 -- groups looked at, each with as many requests as are asked for

local function waiting_line(limit, count)
  local found, reserving = {}, reservation_hash()
  local hashes = call('ZRANGE', key('waiters:' .. limit), 0, MOST_LINED - 1)
  for _, hash in ipairs(hashes) do
    local members = call('ZRANGE', group_requests(hash), 0, count, 'WITHSCORES')
    for i = 1, #members, 2 do
      found[#found + 1] = { member = members[i], score = tonumber(members[i + 1]), hash = hash }
    end
  end
  table.sort(found, function(one, other)
    local first, second = one.hash == reserving, other.hash == reserving
    if first ~= second then
      return first
    end
    return one.score < other.score
  end)
  return found, #hashes == MOST_LINED
end

local function waiter_states(row, words, waiter, limit)
  local others = {}
  for i, need in ipairs(needs_parse(words or '')) do
    if i > MOST_EXPLAINED then
      break
    end
    if need[1] == limit then
      row.slots, row.state = need[2], need_state(waiter.hash, limit, need[2], waiter.score)
    else
      local state = need_state(waiter.hash, need[1], need[2], waiter.score)
      if state ~= 'free' then
        others[#others + 1] = need[1]
        others[#others + 1] = state
      end
    end
  end
  row.others = rows_or_nil(others)
  return row
end

local function waiter_row(waiter, limit)
  local run = string.match(waiter.member, '^run:(.*)$')
  if run then
    local found = run_row(run)
    return found and waiter_states({ id = run, run = found }, run_words(found.needs, found.pools), waiter, limit)
  end
  local session, n = string.match(waiter.member, '^(.*)/(%d+)$')
  local line = session and call('HGET', requests_key(session), n)
  if line then
    local row = { id = waiter.member, line = line, session = session_row(session) }
    return waiter_states(row, string.match(line, '^(.-) order='), waiter, limit)
  end
end

local function read_waiters(question)
  local limit = text(question.limit, 'limit', 1024)
  local count = whole(question.count or 50, 'count', 1, MOST_ROWS)
  local found, more = waiting_line(limit, count)
  local rows = {}
  for i = 1, math.min(#found, count) do
    rows[#rows + 1] = waiter_row(found[i], limit)
  end
  return { rows = rows_or_nil(rows), more = (more or #found > count) or nil }
end
