-- doctor, what waits: that requests, groups, places and their index agree, and that whoever could go on is on its
-- way. Reads: session:ID:requests, group:HASH, group:HASH:requests, waiters:LIMIT, places, undrained.

local function examine_requests(id, cursor)
  local next_cursor, found = page_of('HSCAN', requests_key(id), cursor)
  for i = 1, #found, 2 do
    local n, line = found[i], found[i + 1]
    local hash, order = word(line, 'group'), tonumber(word(line, 'order') or '')
    saw('sequence', order and order % 2 ^ 40)
    local score = hash and tonumber(call('ZSCORE', group_requests(hash), id .. '/' .. n) or '')
    if not hash or score ~= order or call('EXISTS', group_key(hash)) == 0 then
      find('request_unfiled', 'group:' .. (hash or '') .. (score and '' or ':requests'), { name = id .. '/' .. n })
    end
  end
  return next_cursor
end

local function examine_members(hash, cursor)
  local next_cursor, found = page_of('ZSCAN', group_requests(hash), cursor)
  for i = 1, #found, 2 do
    local session, n = string.match(found[i], '^([%w_.-]+)/(%d+)$')
    local line = session and call('HGET', requests_key(session), n)
    if not line or word(line, 'group') ~= hash then
      find('member_orphan', session and 'session:' .. session .. ':requests' or 'group:' .. hash .. ':requests',
        { name = found[i], group = hash })
    end
  end
  return next_cursor
end

local function examine_group(hash)
  local name = 'group:' .. hash
  local needs, place = unpack(call('HMGET', key(name), 'needs', 'place'))
  local first, score = group_first(hash)
  if not first then
    if needs or place then
      find('group_empty', name .. ':requests', { name = hash })
    end
  elseif not needs or redis.sha1hex(needs) ~= hash then
    find('group_broken', name, { name = hash })
  elseif not place or place == '' then
    find('group_unplaced', name, { name = hash })
  elseif tonumber(call('ZSCORE', key(place), hash) or '') ~= score then
    find('group_unplaced', place, { name = hash })
  end
  return '0'
end

-- Breaks the invariant of admission: the first group of a place either cannot go on, or its place is in `undrained`.
-- It cannot while this limit keeps it, whatever others do: its room would be the sign to try it again.
local function is_stalled(place)
  local limit = string.match(place, '^waiters:(.*)$')
  if not limit or meta.grace > 0 or call('ZSCORE', key('undrained'), place) then
    return false -- the end of a grace marks all places
  end
  for _, entry in ipairs(call('ZRANGE', key('undrained'), 0, MOST_TRIES)) do
    if string.sub(entry, 1, 5) == 'walk ' then
      return false
    end
  end
  local hash = capacity_of(limit) > used_of(limit) and place_head(place)
  local member, score = group_first(hash or '')
  local session, n = string.match(member or '', '^(.*)/(%d+)$')
  local line = session and is_alive(session) and call('HGET', requests_key(session), n)
  if not line then
    return false
  end
  for _, need in ipairs(needs_parse(string.match(line, '^(.-) order='))) do
    if need[1] == limit then
      local state = need_state(hash, limit, need[2], score)
      return state == 'free' or state == 'heavy'
    end
  end
  return true
end

local function examine_place(place, cursor)
  if cursor == '0' then
    local indexed, exists = call('ZSCORE', key('places'), place), call('EXISTS', key(place)) == 1
    if exists and not indexed then
      find('place_unindexed', 'places', { name = place })
    elseif indexed and not exists then
      find('place_empty', place, { name = place })
    end
    if is_stalled(place) then
      find('stalled', place, { name = place })
    end
  end
  local next_cursor, found = page_of('ZSCAN', key(place), cursor)
  for i = 1, #found, 2 do
    if call('HGET', group_key(found[i]), 'place') ~= place then
      find('place_orphan', place, { name = place, group = found[i] })
    end
  end
  return next_cursor
end
