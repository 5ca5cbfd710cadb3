-- What the server offers: the functions of the library, each under the library's name.
-- compose.py gives LIBRARY (its name), STATES (what a call begins with, file by file), KEYS and ARGV.
-- Invariant: nothing that one call knew reaches the next, also where it failed in its middle.

local function begin_call(keys, arguments)
  KEYS, ARGV = keys, arguments
  for i = 1, #STATES do
    STATES[i]()
  end
end

local function called(run)
  return function(keys, arguments)
    begin_call(keys, arguments)
    local fine, reply = pcall(run)
    if fine then
      return reply
    end
    return redis.error_reply('SEMAPHORES ' .. describe(reply))
  end
end

local function offer(name, run, flag)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name, callback = called(run), flags = flag and { flag } or nil,
  })
end

-- Runs once, while the library is loaded; redis.call is not there yet.
local function register()
  offer('call', run_call)
  offer('relief', run_call, 'allow-oom') -- for what gives back, where the server is out of memory
  offer('read', run_read, 'no-writes')
  offer('repair', run_repair, 'allow-oom')
  offer('probe', run_probe, 'allow-oom')
end
