-- The one script that changes state: a list of commands, giving back before admitting, then what waits.
-- KEYS: meta, never. ARGV: a header { session, mark, server, epoch, clock, ttl, longest, w, alive, init, calm }, then
-- the
-- commands, each { op, n, ... }; all msgpack. Reply: msgpack { epoch, clock, grace, lost, more, granted,
-- answers }.

local ADMITTING = { acquire = 1, enroll = 1, take = 1 } -- behind all that gives back, or takes nothing by itself
local OF_RUNS = {
  submit = submit, take = take, start = start, report = report, finish = finish, cancel_run = cancel_run,
  retry_run = retry_run, set_priority = set_priority, enroll = enroll,
}
local MOST_COMMANDS = 256

-- The leases that commands give back, in one read; what is no number is told when its command comes.
local function leases_read(numbers)
  for i, line in ipairs(call('HMGET', leases_key(me.id), unpack(numbers))) do
    memo.lease_lines[numbers[i]] = line
  end
  memo.leases_proven[me.id] = true
end

-- Two copies of one acquire in a call are one: memo.acquired[N], its answer.
local function carried_out(command, header)
  local op, n = command.op, command.n
  if op == 'beat' then
    return beat(command, header.mark)
  end
  n = whole(n, 'n', 1, LARGEST)
  if op == 'acquire' then
    memo.acquired[n] = memo.acquired[n] or acquire(n, command)
    return memo.acquired[n]
  end
  me.seen = n > me.seen and n or me.seen
  if op == 'release' then
    return release(command)
  elseif op == 'cancel' then
    return cancel(command)
  elseif op == 'change_limits' then
    return change_limits(n, command)
  elseif op == 'revoke' then
    return revoke(command)
  elseif op == 'reassert' then
    return reassert(command, header.alive)
  elseif op == 'end' then
    return end_session()
  end
  local run = OF_RUNS[op]
  if run then
    return run(n, command)
  end
  refuse('there is no command ' .. tostring(op))
end

-- A command that fails answers so itself, and the others go on.
local function answer_of(run, ...)
  local fine, answer = pcall(run, ...)
  if fine then
    return answer
  elseif type(answer) == 'table' and answer.refused then
    return { answer = 'refused', reason = answer.refused }
  end
  return { answer = 'failed', reason = describe(answer) }
end

local function header_read()
  local header = cmsgpack.unpack(ARGV[1])
  plain_name(header.session, 'session')
  header.mark = whole(header.mark, 'mark', 0, LARGEST)
  header.epoch = header.epoch and whole(header.epoch, 'epoch', 0, LARGEST)
  header.clock = header.clock and whole(header.clock, 'clock', 0, LARGEST)
  seconds(header.ttl, 'ttl')
  seconds(header.longest, 'longest')
  header.w = header.w or 0
  if type(header.w) ~= 'number' or not (header.w >= 0 and header.w <= 3600) then
    refuse('w must be 0 to 3600 seconds')
  end
  return header
end

local function run_commands(header, commands, answers)
  local giving, admitting, numbers = {}, {}, {}
  for i = 1, #commands do
    local command = commands[i]
    local op = command.op
    if op == 'begin' then
      answers[i] = answer_of(begin, header.session, command)
    elseif ADMITTING[op] then
      admitting[#admitting + 1] = i
    else
      giving[#giving + 1] = i
      numbers[#numbers + 1] = op == 'release' and command.lease or op == 'cancel' and command.request or nil
    end
  end
  if not me then
    return false
  end
  session_mark(header.mark)
  if (me.aside or '') ~= '' then
    answer_of(aside_back)
  end
  if #numbers > 0 then
    pcall(leases_read, numbers) -- else each is read when its command comes
  end
  for _, i in ipairs(giving) do
    answers[i] = answer_of(carried_out, commands[i], header)
  end
  local more = meta.next <= meta.clock and reap_guarded()
  for _, i in ipairs(admitting) do
    answers[i] = me.ended and { answer = 'refused', reason = 'this session is over' }
      or answer_of(carried_out, commands[i], header)
  end
  return more
end

local function run_call()
  local header = header_read()
  local commands, answers = {}, {}
  if #ARGV > MOST_COMMANDS + 1 then
    refuse('at most ' .. MOST_COMMANDS .. ' commands a call')
  end
  for i = 2, #ARGV do
    commands[i - 1] = cmsgpack.unpack(ARGV[i])
    if type(commands[i - 1]) ~= 'table' then
      refuse('a command is a map')
    end
  end
  clock_start(header)
  local started, problem = pcall(places_start)
  if not started then
    broken('places', problem)
  end
  if meta.grace > 0 and not in_grace() then
    meta_set('grace', 0)
    places_mark_all('')
  end
  me = session_load(header.session)
  reservation_check()
  local more = run_commands(header, commands, answers)
  local lost = not me
  if not lost then
    drain(#commands)
    takes_write()
  end
  if not lost and not me.ended then
    session_write()
  end
  slots_write()
  runs_write()
  more = started and places_write() or more
  clock_write()
  return cmsgpack.pack({
    epoch = meta.epoch, clock = meta.clock, lost = lost or nil,
    grace = in_grace() and (meta.grace - meta.clock) / SECOND or nil, more = more and not in_grace() or nil,
    granted = own_grants, answers = #answers > 0 and answers or nil,
  })
end
