-- Lives: whether other sessions live, how one ends, and what it was answered.
-- Reads and writes: session:ID, sessions, host:KEY.

local function is_alive(id)
  if alive[id] == nil then
    local expiry = tonumber(call('HGET', session_key(id), 'expiry') or '')
    alive[id] = expiry ~= nil and math.max(expiry, meta.since + meta.ttl) > meta.clock
  end
  return alive[id]
end

-- Forgets what a session says of itself, also in the index of its host.
local function session_forget(id)
  local host = call('HGET', session_key(id), 'host')
  if host then
    pcall(call, 'SREM', key('host:' .. host), id)
  end
  call('DEL', session_key(id))
end

-- Lets everything a session has come back; the reaper takes it from there, a bounded part a call.
local function session_condemn(id)
  call('HLEN', session_key(id)) -- proves its type before the first write
  call('ZADD', key('sessions'), 0, id)
  session_forget(id)
  alive[id] = false
  meta_set('next', 0)
end

-- The answer that was kept for an id, or nil.
local function answer_kept(n)
  return string.match('\n' .. answers_text(), '\n' .. digits(n) .. ' ([^\n]*)\n')
end
