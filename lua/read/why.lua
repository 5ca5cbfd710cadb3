-- why: what a request waits for, limit by limit; or what a lease holds.
-- Question: why { id: SESSION/N } -> { state: held | waiting | aside | seat (of a worker), line, place, limits,
-- session } | {}. limits: list of { limit, slots, capacity, used, state: free | heavy | paused | full | reserved |
-- line, before, holders }. Reads: session:ID:leases, session:ID:requests, session:ID:aside, group:HASH, slots:LIMIT,
-- waiters:LIMIT.

local MOST_HOLDERS, MOST_EXPLAINED = 10, 64

-- The same questions in the same order as admission's blocker_of.
local function need_state(hash, limit, slots, score)
  local capacity = capacity_of(limit)
  if capacity == UNLIMITED then
    return 'free'
  elseif capacity == 0 then
    return 'paused'
  elseif capacity < slots then
    return 'heavy'
  elseif capacity - used_of(limit) < slots then
    return 'full'
  elseif is_full(hash, limit, slots) then
    return 'reserved'
  end
  local head, order = place_head('waiters:' .. limit)
  local mine = reservation_hash() == hash and -1 or score
  return head and head ~= hash and order < mine and 'line' or 'free'
end

local function needs_explained(words, hash, score)
  local rows = {}
  for i, need in ipairs(needs_parse(words)) do
    if i > MOST_EXPLAINED then
      break
    end
    local limit, slots = need[1], need[2]
    local capacity = capacity_of(limit)
    local state = score and need_state(hash, limit, slots, score) or nil
    rows[i] = {
      limit = limit, slots = slots, used = used_of(limit), capacity = capacity < UNLIMITED and capacity or -1,
      state = state, before = score and waiting_before(limit, score) or nil,
      holders = score and state ~= 'free' and oldest_holders(limit, MOST_HOLDERS) or nil,
    }
  end
  return rows
end

local function read_why(question)
  local session, n = string.match(text(question.id, 'id', 100), '^([%w_.-]+)/(%d+)$')
  if not session then
    refuse('a lease or request is called SESSION/N')
  end
  local row = session_row(session)
  local held = call('HGET', leases_key(session), n)
  if held then
    local limits = needs_explained(string.match(held, '^(.-) token='))
    return { state = 'held', line = held, limits = limits, session = row }
  end
  local line = call('HGET', requests_key(session), n)
  local aside = not line and call('HGET', session_key(session) .. ':aside', n)
  if not line and not aside then
    return {}
  end
  line = line or aside
  if is_take(line) then
    return { state = 'seat', line = line, session = row }
  end
  local hash = word(line, 'group')
  local limits = needs_explained(string.match(line, '^(.-) order='), hash, tonumber(word(line, 'order')))
  local place = not aside and call('HGET', group_key(hash), 'place') or nil
  return { state = aside and 'aside' or 'waiting', line = line, place = place, limits = limits, session = row }
end

local function read_session(question)
  local row = session_row(plain_name(question.id, 'session'))
  return { row = row }
end
