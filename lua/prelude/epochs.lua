-- Epochs: a new one begins when data may be lost; in its grace nothing is granted and holders re-assert.
-- Reads and writes: meta.
-- Invariant: an epoch's number and clock are above all that its data and its caller knew, and every session that the
-- data has gets its full T from there.

local function new_epoch(header)
  local before = meta.clock
  local epoch = math.max(meta.epoch, header.epoch or 0)
  local clock = math.max(meta.clock, header.clock or 0)
  local rest = math.max(0, meta.grace - meta.clock) -- of a grace that this one interrupts, and must not shorten
  meta_set('epoch', math.max(epoch + 1, now))
  meta_set('clock', clock + 1)
  meta_set('since', clock + 1) -- every session that the data has gets its full T from here
  meta_set('next', 0)
  meta_set('grace', clock + 1 + math.max(rest, meta.ttl + header.w * SECOND))
  if header.calm and rest == 0 and call('ZCOUNT', key('sessions'), '(' .. digits(before), '+inf') == 0 then
    meta_set('grace', 0) -- the embedded server, stopped in order when nobody lived there
  end
end

-- The server's id as it says itself: asked only when the caller's differs from the one in `meta`.
local function server_id()
  return string.match(call('INFO', 'server'), 'run_id:(%x+)')
end

-- A namespace the data does not know: made by `init`, or lost. `longest` is the longest T its holders may have.
local function meta_create(header)
  meta_set('schema', 1)
  meta_set('ttl', header.ttl * SECOND)
  meta_set('config', 0)
  meta_set('sequence', 0)
  meta_set('token', 0)
  meta_set('reserving', '')
  new_epoch(header)
  meta_set('server', server_id())
  if header.init then
    meta_set('grace', 0)
  else
    meta_set('grace', meta.clock + (math.max(header.longest, header.ttl) + header.w) * SECOND)
  end
end

local function data_was_lost(header, gap, seen)
  if header.server ~= meta.server then
    local actual = server_id()
    if actual ~= meta.server then
      meta_set('server', actual)
      return true
    end
  end
  if not seen then
    return true -- the caller saw what this data does not know: rolled back
  end
  return header.w > 0 and gap > meta.ttl / 2 and meta.next < LARGEST -- the primary was away
end

-- A call whose caller, server or time is not as the last one left it.
local function epoch_check(header, gap, seen)
  if data_was_lost(header, gap, seen) then
    return new_epoch(header)
  end
  meta_set('clock', meta.clock + clock_step(gap))
  if gap < -meta.ttl / 100 then
    meta_set('grace', math.max(meta.grace, meta.clock + meta.ttl)) -- the wall clock was set back
  end
end
