-- leases, requests, holders: who holds and who waits for limits, as stored lines; free seats wait for none.
-- Questions: leases { todo: list of { session, cursor } } -> { rows: { id, line }, left }; requests, the same ->
-- { rows: { id, line, aside }, places (by group), reserving, left }; holders { limit, offset } -> { rows, sessions,
-- next }. Reads: session:ID:leases, session:ID:requests, session:ID:aside, slots:LIMIT, group:HASH.

local function rows_of(rows, name, id, cursor, more)
  local next_cursor, found = page_of('HSCAN', name, cursor)
  for i = 1, #found, 2 do
    if not is_take(found[i + 1]) then
      local row = { id = id .. '/' .. found[i], line = found[i + 1] }
      for field, value in pairs(more or {}) do
        row[field] = value
      end
      rows[#rows + 1] = row
    end
  end
  return next_cursor
end

local function read_leases(question)
  local rows = {}
  local left = worked_off(question.todo, function(id, cursor)
    return rows_of(rows, leases_key(id), id, cursor)
  end)
  return { rows = rows_or_nil(rows), left = left }
end

local function read_requests(question)
  local rows, places, known = {}, {}, {}
  local left = worked_off(question.todo, function(id, cursor)
    if cursor == '0' then
      rows_of(rows, session_key(id) .. ':aside', id, '0', { aside = true })
    end
    return rows_of(rows, requests_key(id), id, cursor)
  end)
  for _, row in ipairs(rows) do
    local hash = not row.aside and word(row.line, 'group')
    if hash and not known[hash] then
      known[hash] = true
      places[hash] = call('HGET', group_key(hash), 'place') or nil
    end
  end
  return {
    rows = rows_or_nil(rows), places = next(places) and places or nil, reserving = reservation_hash(), left = left,
  }
end

local function read_holders(question)
  local limit = text(question.limit, 'limit', 1024)
  local offset = whole(question.offset or 0, 'offset', 0, LARGEST)
  local found = call('ZRANGE', key('slots:' .. limit), offset, offset + MOST_ROWS - 1)
  local rows, sessions, seen = {}, {}, {}
  for _, member in ipairs(found) do
    local session, n = string.match(member, '^([%w_.-]+)/(%d+)')
    local id = session and session .. '/' .. n
    local line = id and not seen[id] and call('HGET', leases_key(session), n)
    if line then
      seen[id] = true
      rows[#rows + 1] = { id = id, line = line }
      sessions[session] = sessions[session] or session_row(session)
    end
  end
  return {
    rows = rows_or_nil(rows), sessions = next(sessions) and sessions or nil,
    next = #found == MOST_ROWS and offset + #found or nil,
  }
end
