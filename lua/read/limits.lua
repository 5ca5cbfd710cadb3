-- limits: which names there are, and each with capacity, usage and who waits.
-- Questions: names { limits, places, sessions (cursors), left } -> { names, limits, places, sessions, left };
-- limits { names (up to 200) } -> { rows, left }. Queued runs wait as requests do. Reads: limits, limits:info, places,
-- slots:LIMIT, waiters:LIMIT, group:HASH, run:ID.

local MOST_GROUPS = 100 -- looked at for one limit; `more` says that there are others
local MOST_BANDS = 16 -- priorities of one group looked at for its oldest request

-- When a group's oldest request came, in ms, by its order of arrival: priority bands are 2^40 wide.
local function oldest_since(hash)
  local oldest, member = math.huge, nil
  local from = '-inf'
  for _ = 1, MOST_BANDS do
    local first = call('ZRANGE', group_requests(hash), from, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    if not first[1] then
      break
    end
    local score = tonumber(first[2])
    if score % 2 ^ 40 < oldest then
      oldest, member = score % 2 ^ 40, first[1]
    end
    from = digits((math.floor(score / 2 ^ 40) + 1) * 2 ^ 40)
  end
  local run = string.match(member or '', '^run:(.*)$')
  local session, n = string.match(member or '', '^(.*)/(%d+)$')
  local line = session and call('HGET', requests_key(session), n)
  local since = line and word(line, 'since') or run and call('HGET', run_key(run), 'submitted')
  return since and tonumber(since), oldest
end

local function waiting_at(limit)
  local place = key('waiters:' .. limit)
  local hashes = call('ZRANGE', place, 0, MOST_GROUPS - 1)
  local count, since, arrival = 0, nil, math.huge
  for _, hash in ipairs(hashes) do
    count = count + call('ZCARD', group_requests(hash))
    local group_since, group_arrival = oldest_since(hash)
    if group_since and group_arrival < arrival then
      since, arrival = group_since, group_arrival
    end
  end
  rows_left = rows_left - #hashes
  return count, since, #hashes == MOST_GROUPS and call('ZCARD', place) > MOST_GROUPS
end

local function limit_row(limit)
  local waits, since, more = waiting_at(limit)
  local capacity = capacity_of(limit)
  return {
    limit = limit, used = used_of(limit), capacity = capacity < UNLIMITED and capacity or -1,
    own = call('HGET', key('limits'), limit) or nil, info = call('HGET', key('limits:info'), limit) or nil,
    waiting = waits, since = since, more = more or nil,
  }
end

local function read_limits(question)
  local rows, left = {}, {}
  for _, name in ipairs(question.names or {}) do
    if rows_left > 0 then
      rows_left = rows_left - 4 -- entries that a row costs
      rows[#rows + 1] = limit_row(text(name, 'limit', 1024))
    else
      left[#left + 1] = name
    end
  end
  return { rows = rows_or_nil(rows), left = rows_or_nil(left) }
end

-- Names of limits that are set, waited for or held: the last only the leases tell.
local function read_names(question)
  local names, list, reply = {}, {}, {}
  local function pages(field, command, found_one)
    local cursor = question[field]
    if cursor and rows_left > 0 then
      local next_cursor, found = page_of(command, key(field), cursor)
      for i = 1, #found, 2 do
        found_one(found[i])
      end
      cursor = next_cursor ~= '0' and next_cursor or nil
    end
    reply[field] = cursor
  end
  local todo = question.left or {}
  pages('limits', 'HSCAN', function(name)
    names[name] = true
  end)
  pages('places', 'ZSCAN', function(place)
    local name = string.match(place, '^waiters:(.*)$') or string.match(place, '^heavy:(.*)$')
    if name then
      names[name] = true
    end
  end)
  pages('sessions', 'ZSCAN', function(id)
    todo[#todo + 1] = { id, '0' }
  end)
  reply.left = worked_off(todo, function(id, cursor)
    local next_cursor, found = page_of('HSCAN', leases_key(id), cursor)
    for i = 2, #found, 2 do
      for _, need in ipairs(lease_needs(found[i])) do
        names[need[1]] = true
      end
    end
    return next_cursor
  end)
  for name in pairs(names) do
    list[#list + 1] = name
  end
  reply.names = rows_or_nil(list)
  return reply
end
