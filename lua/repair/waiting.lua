-- repair, what waits: groups and places from the requests of sessions and from runs, in their order, which they tell.
-- Items: request ids SESSION/N; group hashes; { group, member }; places; { place, group }.
-- Reads and writes: session:ID:requests, group:HASH, group:HASH:requests, waiters:LIMIT, places, undrained.

local function group_name(hash)
  if not string.match(text(hash, 'group', 40), '^%x+$') then
    refuse('a group is named by a hash')
  end
  return hash
end

-- Where a group waits now: the limit that blocks its first request, or its first run, or the line of its job.
local function place_of(needs, score, queue, job)
  local blocked = blocker_of(nil, needs, score)
  if queue and not blocked then
    return 'line:' .. queue .. ':' .. job
  end
  return 'waiters:' .. (blocked or needs[1][1])
end

local function settle(hash)
  group_settle(hash, call('HGET', group_key(hash), 'place'))
end

-- A request that is not where its line says is filed anew.
local function repair_request(id)
  local session, n = lease_id(id)
  local line = call('HGET', requests_key(session), n)
  if not line or is_take(line) then
    return
  end
  local hash, score = word(line, 'group') or '', tonumber(word(line, 'order') or '')
  local words = string.match(line, '^(.-) order=')
  if not score or not words then
    refuse('the request ' .. id .. ' cannot be read')
  end
  if call('EXISTS', group_key(hash)) == 1 and tonumber(call('ZSCORE', group_requests(hash), id) or '') == score then
    return
  end
  local needs = needs_parse(words)
  call('ZREM', group_requests(hash), id)
  local filed = request_file(session, tonumber(n), words, needs_limited(needs), score, line, place_of(needs, score))
  settle(filed)
  if filed ~= hash and call('EXISTS', group_key(hash)) == 1 then
    settle(hash)
  end
end

local function repair_group(hash)
  local first, score = group_first(group_name(hash))
  local needs, place, queue, job = unpack(call('HMGET', group_key(hash), 'needs', 'place', 'queue', 'job'))
  if not first then
    settle(hash)
  elseif not needs or (queue and not job) or group_hash(needs, queue, job) ~= hash then
    group_place(hash, nil)
    call('DEL', group_key(hash)) -- its requests and runs are filed anew
  else
    if not place or place == '' then
      place = place_of(needs ~= '' and needs_parse(needs) or first_needs(hash), score, queue, job)
    end
    group_place(hash, place, digits(score))
  end
end

local function repair_member(item)
  local hash, member = group_name(item.group), text(item.member, 'member', 100)
  if not is_member(hash, member) then
    call('ZREM', group_requests(hash), member)
    settle(hash)
  end
end

local function repair_place(item)
  local place = text(item.place, 'place', 1100)
  if item.group and call('HGET', group_key(group_name(item.group)), 'place') ~= place then
    call('ZREM', key(place), item.group)
    place_changed(place)
  end
  if call('EXISTS', key(place)) == 1 then
    call('ZADD', key('places'), 0, place)
  else
    call('ZREM', key('places'), place)
  end
end

local function repair_drain()
  places_mark_all('')
end
