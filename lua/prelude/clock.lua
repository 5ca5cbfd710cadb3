-- The lease clock, epochs and graces; the one hash `meta` that carries them from call to call.
-- Reads: meta. Writes: meta, once, at the end of a call (clock_write).
-- Invariant: the lease clock rises strictly, and by at most min(2 s, T/5) a call, whatever the server's clock does.

local SECOND = 1000000 -- the lease clock counts whole µs
local FIELDS = {
  'schema', 'epoch', 'server', 'clock', 'wall', 'ttl', 'since', 'grace', 'next', 'config', 'sequence', 'token',
  'reserving', 'reserving_until',
}
local IS_TEXT = { server = true, reserving = true }
local meta, meta_changed = {}, {}
local now -- the server's wall clock, whole µs, read once
local never_ends = LARGEST

local function meta_set(field, value)
  meta[field] = value
  meta_changed[field] = value
end

local function in_grace()
  return meta.grace > meta.clock
end

local function new_epoch(header)
  local epoch = math.max(meta.epoch, header.epoch or 0)
  local clock = math.max(meta.clock, header.clock or 0)
  local rest = math.max(0, meta.grace - meta.clock) -- of a grace that this one interrupts, and must not shorten
  meta_set('epoch', math.max(epoch + 1, now))
  meta_set('clock', clock + 1)
  meta_set('since', clock + 1) -- every session that the data has gets its full T from here
  meta_set('next', 0)
  meta_set('grace', clock + 1 + math.max(rest, meta.ttl + header.w * SECOND))
end

-- A namespace the data does not know: made by `init`, or lost. `longest` is the longest T its holders may have.
local function meta_create(header)
  for _, field in ipairs(FIELDS) do
    meta[field] = 0
  end
  meta_set('schema', 1)
  meta_set('ttl', header.ttl * SECOND)
  meta_set('config', 0)
  meta_set('sequence', 0)
  meta_set('token', 0)
  meta_set('reserving', '')
  new_epoch(header)
  if header.init then
    meta_set('grace', 0)
  else
    meta_set('grace', meta.clock + (math.max(header.longest, header.ttl) + header.w) * SECOND)
  end
end

-- The server's id as it says itself: asked only when the caller's differs from the one in `meta`.
local function server_id()
  return string.match(call('INFO', 'server'), 'run_id:(%x+)')
end

local function data_was_lost(header, gap)
  if header.server ~= meta.server then
    local actual = server_id()
    if actual ~= meta.server then
      meta_set('server', actual)
      return true
    end
  end
  local epoch = header.epoch or 0
  if epoch > meta.epoch or (epoch == meta.epoch and (header.clock or 0) > meta.clock) then
    return true -- the caller saw what this data does not know: rolled back
  end
  return header.w > 0 and gap > meta.ttl / 2 and meta.next < never_ends -- the primary was away
end

local function clock_start(header)
  local time = call('TIME')
  now = tonumber(time[1]) * SECOND + tonumber(time[2])
  local stored = call('HMGET', KEYS[1], unpack(FIELDS))
  if not stored[1] then
    meta_create(header)
    meta_set('server', server_id())
  else
    for i, field in ipairs(FIELDS) do
      meta[field] = IS_TEXT[field] and (stored[i] or '') or tonumber(stored[i] or '') or 0
    end
    local gap = now - meta.wall
    if data_was_lost(header, gap) then
      new_epoch(header)
    else
      meta_set('clock', meta.clock + math.max(1, math.min(gap, 2 * SECOND, meta.ttl / 5)))
      if gap < -meta.ttl / 100 then
        meta_set('grace', math.max(meta.grace, meta.clock + meta.ttl))
      end
    end
  end
  meta_set('wall', now)
end

-- Tokens rise even across a loss of data: they follow the server's clock.
local function next_token()
  local token = math.max(meta.token + 1, now)
  meta_set('token', token)
  return digits(token)
end

local function clock_write()
  local fields = {}
  for field, value in pairs(meta_changed) do
    fields[#fields + 1] = field
    fields[#fields + 1] = type(value) == 'number' and digits(value) or value
  end
  call('HSET', KEYS[1], unpack(fields))
end
