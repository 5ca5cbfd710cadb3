-- Lives: whether other sessions live, how one ends, and what it was answered.
-- Reads and writes: session:ID, sessions, host:KEY.

-- Found once a call: memo.alive[id].
local function is_alive(id)
  local alive = memo.alive
  if alive[id] ~= nil then
    return alive[id]
  end
  if me and me.id == id then
    alive[id] = true
  else
    local expiry = tonumber(call('HGET', session_key(id), 'expiry') or '')
    alive[id] = expiry ~= nil and math.max(expiry, meta.since + meta.ttl) > meta.clock
  end
  return alive[id]
end

-- A worker leaves its queues; a list of jobs goes with the last worker of a queue that has it.
local function worker_leave(id, worker)
  local code = word(worker, 'code')
  for queue in string.gmatch(word(worker, 'queues') or '', '[^,]+') do
    local name = queue .. ':' .. code
    call('SREM', key('workers:' .. name), id)
    if call('EXISTS', key('workers:' .. name)) == 0 then
      call('SREM', key('codes:' .. queue), code)
      call('DEL', key('code:' .. name), key('takes:' .. name))
    end
  end
  call('SREM', key('workers'), id)
  memo.codes, memo.job_codes = {}, {}
end

-- Forgets what a session says of itself, also in the index of its host.
local function session_forget(id)
  local host, worker = unpack(call('HMGET', session_key(id), 'host', 'worker'))
  if host then
    pcall(call, 'SREM', key('host:' .. host), id)
  end
  if worker then
    pcall(worker_leave, id, worker)
  end
  call('DEL', session_key(id))
end

-- Lets everything a session has come back; the reaper takes it from there, a bounded part a call.
local function session_condemn(id)
  call('HLEN', session_key(id)) -- proves its type before the first write
  call('ZADD', key('sessions'), 0, id)
  session_forget(id)
  memo.alive[id] = false
  meta_set('next', 0)
end

-- The answer that was kept for an id, or nil.
local function answer_kept(n)
  return string.match('\n' .. answers_text(), '\n' .. digits(n) .. ' ([^\n]*)\n')
end
