-- The function that proves, at connecting, what everything else relies on. Uses nothing that it does not prove.
-- KEYS: meta, never. Reply: a list of lines `name=value`; `missing=WHAT: REASON` for what the server lacks.

local probed = {}
local about = '' -- what INFO says of the server

local function show(what, check)
  local fine, value = pcall(check)
  if fine and value then
    probed[#probed + 1] = what .. '=' .. tostring(value)
  else
    local reason = type(value) == 'table' and value.err or value
    probed[#probed + 1] = 'missing=' .. what .. ': ' .. tostring(reason or 'no answer')
  end
end

local function run_probe()
  show('info', function()
    about = call('INFO', 'server')
    return 'yes'
  end)
  show('server', function()
    return string.match(about, 'run_id:(%x+)')
  end)
  show('redis_version', function()
    return string.match(about, 'redis_version:([%d.]+)')
  end)
  probed[#probed + 1] = 'valkey_version=' .. (string.match(about, 'valkey_version:([%d.]+)') or '')
  show('time', function()
    local time = call('TIME')
    return tonumber(time[1]) > 0 and #time == 2 and time[1]
  end)
  show('msgpack', function()
    local value = cmsgpack.unpack(cmsgpack.pack({ number = 2 ^ 52, text = 'x' }))
    return value.number == 2 ^ 52 and value.text == 'x' and 'yes'
  end)
  show('receivers', function()
    local count = call('SPUBLISH', key('wake:'), '')
    return type(count) == 'number' and string.format('%.0f', count)
  end)
  show('undeclared', function()
    return call('EXISTS', key('limits')) and 'yes'
  end)
  return probed
end
