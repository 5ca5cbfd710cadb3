-- What the server offers: the functions of the library, each under the library's name.
-- compose.py gives LIBRARY (its name), STATES (what a call begins with: by room, a list of functions, one a file),
-- KEYS and ARGV.
-- Invariant: nothing that one call knew reaches the next, also where it failed in its middle.

local function begin_anew(states)
  for i = 1, #states do
    states[i]()
  end
end

local function called(run, room)
  return function(keys, arguments)
    KEYS, ARGV = keys, arguments
    begin_anew(STATES.prelude)
    begin_anew(STATES[room])
    local fine, reply = pcall(run)
    if fine then
      return reply
    end
    return redis.error_reply('SEMAPHORES ' .. describe(reply))
  end
end

-- `room`: the folder whose files it uses beside the prelude's.
local function offer(name, run, room, flag)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name, callback = called(run, room), flags = flag and { flag } or nil,
  })
end

-- Runs once, while the library is loaded; redis.call is not there yet.
local function register()
  offer('call', run_call, 'commands')
  offer('relief', run_call, 'commands', 'allow-oom') -- for what gives back, where the server is out of memory
  offer('read', run_read, 'read', 'no-writes')
  offer('repair', run_repair, 'repair', 'allow-oom')
  offer('probe', run_probe, 'probe', 'allow-oom')
end
