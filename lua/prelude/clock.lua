-- The lease clock, epochs and graces; the one hash `meta` that carries them from call to call.
-- Reads: meta. Writes: meta, once, at the end of a call (clock_write).
-- Invariant: the lease clock rises strictly, and by at most min(2 s, T/5) a call, whatever the server's clock does.

local SECOND = 1000000 -- the lease clock counts whole µs
local FIELDS = {
  'epoch', 'server', 'clock', 'wall', 'ttl', 'since', 'grace', 'next', 'token', 'reserving',
  'schema', 'config', 'sequence', 'reserving_until',
}
local OFTEN = 10 -- of these are read by each call, the others when one is asked for
local now -- the server's wall clock, whole µs, read once
local now_ms -- the same in ms, as text: when a lease was granted

local meta, meta_changed -- as read and changed in this call; what was changed

local function meta_rest(known, asked)
  for i, value in ipairs(call('HMGET', KEYS[1], unpack(FIELDS, OFTEN + 1))) do
    local field = FIELDS[OFTEN + i]
    known[field] = rawget(known, field) or tonumber(value) or 0
  end
  return rawget(known, asked)
end

local REST = { __index = meta_rest }

-- Returns whether there is anything. Whole numbers, also where a hand wrote a fraction. One constructor: a table that
-- grows field by field is moved again and again.
local function meta_load()
  local epoch, server, clock, wall, ttl, since, grace, due, token, reserving =
    unpack(call('HMGET', KEYS[1], unpack(FIELDS, 1, OFTEN)))
  meta, meta_changed = setmetatable({
    epoch = math.ceil(tonumber(epoch) or 0), clock = math.ceil(tonumber(clock) or 0),
    wall = math.ceil(tonumber(wall) or 0), server = server or '', ttl = tonumber(ttl) or 0,
    since = tonumber(since) or 0, grace = tonumber(grace) or 0, next = tonumber(due) or 0,
    token = tonumber(token) or 0, reserving = reserving or '',
  }, REST), {}
  return epoch and true or false
end

local function meta_set(field, value)
  meta[field] = value
  meta_changed[field] = value
end

local function in_grace()
  return meta.grace > meta.clock
end

-- How far the lease clock goes on after `gap` µs of the server's.
local function clock_step(gap)
  local most = math.max(1, math.floor(math.min(2 * SECOND, meta.ttl / 5)))
  return gap < 1 and 1 or gap < most and gap or most
end

local function clock_start(header)
  local time = call('TIME')
  now = tonumber(time[1]) * SECOND + tonumber(time[2])
  now_ms = digits(math.floor(now / 1000))
  if not meta_load() then
    meta_create(header)
  else
    local gap = now - meta.wall
    local seen = (header.epoch or 0) < meta.epoch
      or meta.epoch > 0 and header.epoch == meta.epoch and (header.clock or 0) <= meta.clock
    if header.server ~= meta.server or not seen or header.w > 0 or gap < -meta.ttl / 100 then
      epoch_check(header, gap, seen)
    else
      meta.clock = meta.clock + clock_step(gap)
    end
  end
  meta.wall = now
end

-- Tokens rise even across a loss of data: they follow the server's clock.
local function next_token()
  local token = meta.token + 1
  meta.token = token > now and token or now
  return digits(meta.token)
end

-- Clock, wall and token are written by each call, whatever it did.
local function clock_write()
  local fields = { 'clock', meta.clock, 'wall', meta.wall, 'token', meta.token }
  for field, value in pairs(meta_changed) do
    fields[#fields + 1] = field
    fields[#fields + 1] = type(value) == 'number' and math.floor(value) or value
  end
  call('HSET', KEYS[1], unpack(fields))
end
