-- doctor, what waits: that requests, groups, places and their index agree, and that whoever could go on is on its
-- way. Reads: session:ID:requests, run:ID, group:HASH, group:HASH:requests, waiters:LIMIT, line:QUEUE:JOB, places,
-- undrained.

local MOST_SEATS = 10 -- of one code, looked at for one whose worker lives

local function examine_request(name, line)
  local hash, order = word(line, 'group'), tonumber(word(line, 'order') or '')
  saw('sequence', order and order % 2 ^ 40)
  local score = hash and tonumber(call('ZSCORE', group_requests(hash), name) or '')
  if not hash or score ~= order or call('EXISTS', group_key(hash)) == 0 then
    find('request_unfiled', 'group:' .. (hash or '') .. (score and '' or ':requests'), { name = name })
  end
end

local function examine_requests(id, cursor)
  local next_cursor, found = page_of('HSCAN', requests_key(id), cursor)
  for i = 1, #found, 2 do
    local examine = is_take(found[i + 1]) and examine_take or examine_request
    examine(id .. '/' .. found[i], found[i + 1])
  end
  return next_cursor
end

-- Whether a member of a group, SESSION/N or run:ID, waits there as it says itself; and where it says so.
local function is_member(hash, member)
  local run = string.match(member, '^run:(.+)$')
  if run then
    local status, group = unpack(call('HMGET', run_key(run), 'status', 'group'))
    return status == 'QUEUED' and group == hash, member
  end
  local session, n = string.match(member, '^([%w_.-]+)/(%d+)$')
  local line = session and call('HGET', requests_key(session), n)
  return line and word(line, 'group') == hash, session and 'session:' .. session .. ':requests'
end

local function examine_members(hash, cursor)
  local next_cursor, found = page_of('ZSCAN', group_requests(hash), cursor)
  for i = 1, #found, 2 do
    local fine, where = is_member(hash, found[i])
    if not fine then
      find('member_orphan', where or 'group:' .. hash .. ':requests', { name = found[i], group = hash })
    end
  end
  return next_cursor
end

local function examine_group(hash)
  local name = 'group:' .. hash
  local needs, place, queue, job = unpack(call('HMGET', key(name), 'needs', 'place', 'queue', 'job'))
  local first, score = group_first(hash)
  if not first then
    if needs or place then
      find('group_empty', name .. ':requests', { name = hash })
    end
  elseif not needs or (queue and not job) or group_hash(needs, queue, job) ~= hash then
    find('group_broken', name, { name = hash })
  elseif not place or place == '' then
    find('group_unplaced', name, { name = hash })
  elseif tonumber(call('ZSCORE', key(place), hash) or '') ~= score then
    find('group_unplaced', place, { name = hash })
  end
  return '0'
end

-- What the first of a group needs, and its order; nil: nobody would go on.
local function first_needs(hash)
  local member, score = group_first(hash)
  local run = string.match(member or '', '^run:(.+)$')
  if run then
    local needs, pools = unpack(call('HMGET', run_key(run), 'needs', 'pools'))
    return needs and needs_parse(run_words(needs, pools)), score
  end
  local session, n = string.match(member or '', '^(.*)/(%d+)$')
  local line = session and is_alive(session) and call('HGET', requests_key(session), n)
  return line and needs_parse(string.match(line, '^(.-) order=')), score
end

-- A line is stalled when a worker that lives has a free seat for its job.
local function is_line_stalled(queue, job)
  for _, code in ipairs(codes_for(queue, job)) do
    for _, member in ipairs(call('ZRANGE', takes_key(queue, code), 0, MOST_SEATS - 1)) do
      if is_seated(member, queue .. ':' .. code) and is_alive(string.match(member, '^(.*)/')) then
        return true
      end
    end
  end
  return false
end

local function is_being_worked_off(entry)
  if call('ZSCORE', key('undrained'), entry) then
    return true
  end
  for _, other in ipairs(call('ZRANGE', key('undrained'), 0, MOST_TRIES)) do
    if string.sub(other, 1, 5) == 'walk ' then
      return true
    end
  end
  return false
end

-- Breaks the invariant of admission: the first group of a place either cannot go on, or its place is in `undrained`.
-- It cannot while this limit keeps it, whatever others do: its room would be the sign to try it again.
local function is_stalled(place)
  local limit, line = string.match(place, '^waiters:(.*)$'), line_of(place)
  if meta.grace > 0 or not limit and not line or is_being_worked_off(line and 'queue ' .. line[1] or place) then
    return false -- the end of a grace marks all places
  elseif line then
    return call('EXISTS', key(place)) == 1 and is_line_stalled(line[1], line[2])
  end
  local hash = capacity_of(limit) > used_of(limit) and place_head(place)
  local needs, score = first_needs(hash or '')
  for _, need in ipairs(needs or {}) do
    if need[1] == limit then
      local state = need_state(hash, limit, need[2], score)
      return state == 'free' or state == 'heavy'
    end
  end
  return needs and true or false
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
    examine_line(place)
  end
  local next_cursor, found = page_of('ZSCAN', key(place), cursor)
  for i = 1, #found, 2 do
    if call('HGET', group_key(found[i]), 'place') ~= place then
      find('place_orphan', place, { name = place, group = found[i] })
    end
  end
  return next_cursor
end
