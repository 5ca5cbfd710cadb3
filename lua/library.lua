-- What the server offers: the functions of the library, each under the library's name.
-- compose.py gives LIBRARY (its name), KEYS, ARGV, and STATES: for each function the list of what its calls begin with.
-- Invariant: nothing that one call knew reaches the next, also where it failed in its middle.

local function begin_call(states, keys, arguments)
  KEYS, ARGV = keys, arguments
  for i = 1, #states do
    states[i]()
  end
end

local function called(run, states)
  return function(keys, arguments)
    begin_call(states, keys, arguments)
    local fine, reply = pcall(run)
    if fine then
      return reply
    end
    return redis.error_reply('SEMAPHORES ' .. describe(reply))
  end
end

local function offer(name, run, states, flag)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name, callback = called(run, states), flags = flag and { flag } or nil,
  })
end

-- Runs once, while the library is loaded; redis.call is not there yet.
local function register()
  offer('call', run_call, STATES.call)
  offer('relief', run_call, STATES.call, 'allow-oom') -- for what gives back, where the server is out of memory
  offer('read', run_read, STATES.read, 'no-writes')
  offer('repair', run_repair, STATES.repair, 'allow-oom')
  offer('probe', run_probe, STATES.probe, 'allow-oom')
end
