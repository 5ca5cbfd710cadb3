-- The script that proves, at connecting, what everything else relies on. Uses nothing that it does not prove.
-- KEYS: meta, never. Reply: a list of lines `name=value`; `missing=WHAT: REASON` for what the server lacks.

local lines = {}

local function prove(what, check)
  local fine, value = pcall(check)
  if fine and value then
    lines[#lines + 1] = what .. '=' .. tostring(value)
  else
    local reason = type(value) == 'table' and value.err or value
    lines[#lines + 1] = 'missing=' .. what .. ': ' .. tostring(reason or 'no answer')
  end
end

local prefix = string.sub(KEYS[1], 1, -5)
local info = ''

prove('info', function()
  info = redis.call('INFO', 'server')
  return 'yes'
end)
prove('server', function()
  return string.match(info, 'run_id:(%x+)')
end)
prove('redis_version', function()
  return string.match(info, 'redis_version:([%d.]+)')
end)
lines[#lines + 1] = 'valkey_version=' .. (string.match(info, 'valkey_version:([%d.]+)') or '')
prove('time', function()
  local time = redis.call('TIME')
  return tonumber(time[1]) > 0 and #time == 2 and time[1]
end)
prove('msgpack', function()
  local value = cmsgpack.unpack(cmsgpack.pack({ number = 2 ^ 52, text = 'x' }))
  return value.number == 2 ^ 52 and value.text == 'x' and 'yes'
end)
prove('receivers', function()
  local count = redis.call('SPUBLISH', prefix .. 'wake:', '')
  return type(count) == 'number' and string.format('%.0f', count)
end)
prove('undeclared', function()
  return redis.call('EXISTS', prefix .. 'limits') and 'yes'
end)
return lines
