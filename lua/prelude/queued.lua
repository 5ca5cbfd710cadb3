-- Queued runs: how one waits, is tried, and is granted to a take. A run is granted to a take as it is granted slots.
-- Reads and writes: run:ID, and through groups.lua, lines.lua and slots.lua.

local TOLD = { -- to the worker that gets it; its arguments besides, where it has any
  'job', 'queue', 'location', 'tags', 'priority', 'order', 'attempt', 'max_attempts', 'max_runtime', 'config',
  'args_size', 'needs', 'pools',
}

-- What a run needs: its own slots and, at granularity `run`, one of each pool of its ops. In the order of the names.
local function run_words(needs, pools)
  if pools and pools ~= '' and setting('granularity') == 'run' then
    return pools .. ' ' .. needs
  end
  return needs
end

-- Where a run waits now: for a limit, or in the line of its job for a free seat.
local function run_place(hash, needs, score, queue, job)
  local blocked = in_grace() and needs[1][1] or blocker_of(hash, needs, score)
  return blocked and 'waiters:' .. blocked or 'line:' .. queue .. ':' .. job
end

-- A run waits in its order; it goes on in this very call if it can.
local function run_file(id, words, queue, job, score)
  local needs = needs_parse(words)
  local place = run_place(nil, needs, score, queue, job)
  local hash = group_join('run:' .. id, needs_limited(needs), score, place, queue, job)
  call('HSET', run_key(id), 'group', hash)
  place_mark(place)
end

local function run_take_out(id, hash)
  group_leave(hash, 'run:' .. id)
  call('HSET', run_key(id), 'group', '')
end

local function run_told(id)
  local told = { id = id }
  for i, value in ipairs(call('HMGET', run_key(id), unpack(TOLD))) do
    local field = TOLD[i]
    told[field] = value or nil
  end
  return told
end

local function with_args(run)
  run.args = run.args_size and call('HGET', run_key(run.id), 'args') or nil
  return run
end

-- What a session is told of a lease that it was granted and may not know: { n, token, run }.
local function granted_before(n, line)
  local grant, run = { n = n, token = word(line, 'token') }, word(line, 'run')
  if run then
    grant.run = with_args(run_told(run))
    grant.run.words = string.match(line, '^(.-) token=')
  end
  return grant
end

-- A take that gets a run: out of where it waits. Returns session, N and line; no line: its session has it no more.
local function take_out(found)
  if type(found) == 'table' then
    found.over = true
    return me.id, found.n, found.line
  end
  local session, n = string.match(found, '^(.*)/(%d+)$')
  n = tonumber(n)
  local line = call('HGET', requests_key(session), digits(n))
  if line then
    take_leave(session, n, line)
    call('HDEL', requests_key(session), digits(n))
  end
  return session, n, line
end

-- Gives a run to a session that listens; false: it does not.
local function run_hand(run, session, n, holder, words, needs)
  lease_prepare(session, needs)
  local token, id = next_token(), run.id
  run.words = words
  if not grant_tell(session, { n = n, token = token, run = with_args(run) }) then
    return false
  end
  lease_grant(session, n, words, needs, token, holder, now_ms, ' run=' .. id)
  call('HSET', run_key(id), 'status', 'STARTING', 'lease', session .. '/' .. digits(n), 'token', token,
    'worker', holder, 'granted', now_ms, 'group', '')
  run_move(id, 'QUEUED', 'STARTING', now_ms)
  if setting('start_timeout') then
    run_timer('start', id, token, tonumber(setting('start_timeout')))
  end
  return true
end

-- To the oldest take that its job's workers have, passing over those that do not listen. False: there is none.
local function run_grant(run, words, needs)
  local found = take_for(run.queue, run.job)
  while found do
    local session, n, line = take_out(found)
    if not line then
      take_drop(run.queue, run.job, found)
    elseif is_alive(session) then
      if run_hand(run, session, n, word(line, 'holder'), words, needs) then
        return true
      end
      put_aside(session, n, line)
    end
    found = take_for(run.queue, run.job)
  end
  return false
end

-- The first run of a group: true when it moved, was granted, or left.
local function run_try(hash, id, score)
  local run = run_told(id)
  local queue, job = run.queue, run.job
  if not run.needs or not queue then
    group_leave(hash, 'run:' .. id) -- its record is gone
    return true
  end
  local words = run_words(run.needs, run.pools)
  local needs = needs_parse(words)
  local limited = needs_limited(needs)
  if group_hash(limited, queue, job) ~= hash and group_lacks(hash, limited) then
    run_take_out(id, hash) -- a limit was added since: it belongs to another group
    run_file(id, words, queue, job, score)
    return true
  end
  local blocked = blocker_of(hash, needs, score)
  if blocked then
    return group_park(hash, 'waiters:' .. blocked, score)
  end
  if not run_grant(run, words, needs) then
    return group_park(hash, 'line:' .. queue .. ':' .. job, score)
  end
  queued_remove(id, run.needs)
  group_served(hash, 'run:' .. id)
  return true
end
