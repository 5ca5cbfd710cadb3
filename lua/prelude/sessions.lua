-- Sessions: who is alive, until when on the lease clock, and which command ids were seen.
-- Reads and writes: session:ID, sessions, host:KEY.
-- Invariants: a session past its expiry is dead to every command from that moment, reaped or not; it begins only by
-- `begin`; an id SESSION/N gives the same answer however often it arrives.

local me -- { id, expiry, mark, highest, answers, aside } of the session that calls, or nil

local function session_key(id)
  return prefix .. 'session:' .. id
end

local function session_load(id)
  local stored = call('HMGET', session_key(id), 'expiry', 'mark', 'highest', 'answers', 'aside')
  local expiry = tonumber(stored[1] or '')
  if not expiry or math.max(expiry, meta.since + meta.ttl) <= meta.clock then
    return nil
  end
  return {
    id = id, expiry = expiry, mark = tonumber(stored[2]) or 0, highest = tonumber(stored[3]) or 0,
    answers = stored[4] or '', aside = stored[5], seen = 0,
  }
end

local function answers_text()
  if me.fresh then
    me.answers, me.fresh = me.answers .. table.concat(me.fresh), nil
  end
  return me.answers
end

-- Renews the calling session in the same script that answered it, and keeps what must outlive this call.
local function session_write()
  local expiry = math.floor(meta.clock + meta.ttl)
  local fields = { 'expiry', expiry, 'highest', math.max(me.highest, me.seen), 'mark', me.mark }
  if me.answers_changed then
    fields[#fields + 1] = 'answers'
    fields[#fields + 1] = answers_text()
  end
  if me.aside_over then
    fields[#fields + 1] = 'aside'
    fields[#fields + 1] = ''
  end
  local step = meta.ttl / 10 -- the index may lag behind by so much: who is due there is asked once more
  if math.floor(expiry / step) ~= math.floor(me.expiry / step) then
    local fine, problem = pcall(call, 'ZADD', key('sessions'), expiry, me.id)
    if not fine then
      broken('sessions', problem)
    end
    if expiry < meta.next then
      meta_set('next', expiry)
    end
  end
  call('HSET', session_key(me.id), unpack(fields))
end

-- Answers are kept as text, `N answer` a line, for ids at or above the mark; what a lease or a waiting request tells
-- by itself is not kept.
local function answer_keep(n, answer)
  if n >= me.mark then
    me.fresh = me.fresh or {}
    me.fresh[#me.fresh + 1] = digits(n) .. ' ' .. answer .. '\n'
    me.answers_changed = true
  end
end

local function session_mark(mark)
  if mark <= me.mark then
    return
  end
  me.mark = mark
  if me.answers ~= '' then
    local kept = {}
    for n, answer in string.gmatch(me.answers, '(%d+) ([^\n]*)\n') do
      if tonumber(n) >= mark then
        kept[#kept + 1] = n .. ' ' .. answer .. '\n'
      end
    end
    me.answers = table.concat(kept)
    me.answers_changed = true
  end
end

-- True when this id was not seen before. A late copy of an id below the mark is refused.
local function is_new(n)
  if n > me.seen then
    me.seen = n
  end
  if n < me.mark then -- also one that was never seen: its caller gave it up
    refuse('this command came too late: it was given up')
  end
  return n > me.highest
end

-- A lease of the calling session, false where it has none (any more). Found once a call: memo.lease_lines[N].
local function lease_line(n)
  local lines = memo.lease_lines
  if lines[n] == nil then
    lines[n] = call('HGET', leases_key(me.id), n)
  end
  return lines[n]
end
