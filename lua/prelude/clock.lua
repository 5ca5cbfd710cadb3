-- The lease clock, epochs and graces; the one hash `meta` that carries them from call to call.
-- Reads: meta. Writes: meta, once, at the end of a call (clock_write).
-- Invariant: the lease clock rises strictly, and by at most min(2 s, T/5) a call, whatever the server's clock does.

local SECOND = 1000000 -- the lease clock counts whole µs
local FIELDS = {
  'epoch', 'server', 'clock', 'wall', 'ttl', 'since', 'grace', 'next', 'token', 'reserving',
  'schema', 'config', 'sequence', 'reserving_until',
}
local OFTEN = 10 -- of these are read by each call, the others when one is asked for
local IS_TEXT = { server = true, reserving = true }
local now -- the server's wall clock, whole µs, read once
local now_ms -- the same in ms, as text: when a lease was granted

local function meta_load(first, last)
  local stored = call('HMGET', KEYS[1], unpack(FIELDS, first, last))
  for i, value in ipairs(stored) do
    local field = FIELDS[first + i - 1]
    meta[field] = rawget(meta, field) or IS_TEXT[field] and (value or '') or tonumber(value or '') or 0
  end
  return stored[1] and true or false
end

local function meta_rest(_, field)
  meta_load(OFTEN + 1, #FIELDS)
  return rawget(meta, field)
end

local REST = { __index = meta_rest }
local meta, meta_changed = setmetatable({}, REST), {}

local function meta_set(field, value)
  meta[field] = value
  meta_changed[field] = value
end

local function in_grace()
  return meta.grace > meta.clock
end

local function clock_start(header)
  local time = call('TIME')
  now = tonumber(time[1]) * SECOND + tonumber(time[2])
  now_ms = digits(math.floor(now / 1000))
  if not meta_load(1, OFTEN) then
    meta_create(header)
  else
    local gap = now - meta.wall
    local seen = (header.epoch or 0) < meta.epoch or header.epoch == meta.epoch and (header.clock or 0) <= meta.clock
    if header.server ~= meta.server or not seen or header.w > 0 or gap < -meta.ttl / 100 then
      epoch_check(header, gap, seen)
    else
      meta_set('clock', meta.clock + math.max(1, math.min(gap, 2 * SECOND, meta.ttl / 5)))
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
