-- repair, meta: never behind what is stored. Where it is missing it begins a new epoch, with a grace in which living
-- holders re-assert, as the next call of any client would; but in order behind whoever waits.
-- Items: one map { sequence, token, config, expiry, ttl (seconds) }. Reads and writes: meta.

local function meta_make(ttl)
  for _, field in ipairs(FIELDS) do
    meta_set(field, 0)
  end
  meta_set('schema', 1)
  meta_set('ttl', ttl * SECOND)
  meta_set('epoch', now)
  meta_set('server', server_id())
  meta_set('reserving', '')
  meta_set('wall', now)
  meta_known = true
end

-- The clock jumps over what the lost one had reached; every session gets its full T from there.
local function clock_raise(clock)
  if clock <= meta.clock then
    return
  end
  local grace, reserved = meta.grace - meta.clock, meta.reserving_until - meta.clock
  meta_set('clock', clock)
  meta_set('since', clock)
  meta_set('grace', grace > 0 and clock + grace or meta.grace)
  meta_set('reserving_until', reserved > 0 and clock + reserved or 0)
end

local function repair_meta(seen)
  local ttl = tonumber(seen.ttl)
  if not ttl or ttl < 0.1 or ttl > 60 then
    refuse('ttl must be 1 to 60 seconds')
  end
  local expiry = whole(seen.expiry or 0, 'expiry', 0, LARGEST)
  if not meta_known then
    meta_make(ttl)
    clock_raise(expiry + 1)
    meta_set('since', meta.clock)
    meta_set('grace', meta.clock + meta.ttl)
  else
    clock_raise(expiry - meta.ttl)
  end
  for _, field in ipairs({ 'sequence', 'token', 'config' }) do
    meta_set(field, math.max(meta[field], whole(seen[field] or 0, field, 0, LARGEST)))
  end
end
