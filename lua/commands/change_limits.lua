-- change_limits: sets, deletes, pauses and resumes limits, and settings of runs, all or nothing; versioned and audited.
-- Arguments: n, changes (list of { limit, kind: set | fill | delete | pause | resume, capacity, description }),
-- settings (optional: map of name to value, '' deletes one), origin (file or hand), by, expect (optional: the config
-- version the caller saw). `fill` sets a limit that has no
-- capacity, after a loss; what a living holder re-asserts later goes over it.
-- Answer: changed { config, changes: list of { limit, before, after, paused } } | conflict { config } | missing {
-- limit } | unpaused { limit }. Reads and writes: limits, limits:info, settings, audit, meta.

local LONGEST_LIMIT = 2048 -- 200 bytes of key and of value may be 600 each, percent-encoded
local MOST_AUDITED = 10000
local SPANS = { start_timeout = true, cancel_timeout = true, max_runtime = true } -- seconds; see runs.lua

local function limit_name(name)
  text(name, 'limit', LONGEST_LIMIT)
  if not (name == 'runs' or string.match(name, '^pool:[^ ]+$') or string.match(name, '^tag:[^= ][^ ]*$')) then
    refuse('a limit is called runs, pool:NAME, tag:KEY or tag:KEY=VALUE')
  end
  return name
end

-- What a change makes of a limit: capacity (nil: none), what a pause remembers (nil: not paused).
local function changed(change, before, paused_from)
  if change.kind == 'set' or change.kind == 'fill' then
    local capacity = whole(change.capacity, 'capacity', -1, 1000000)
    if paused_from then
      return '0', digits(capacity)
    end
    return digits(capacity), nil
  elseif change.kind == 'pause' then
    return '0', paused_from or before or 'none'
  elseif change.kind == 'resume' then
    return paused_from ~= 'none' and paused_from or nil, nil
  elseif change.kind == 'delete' then
    return nil, nil
  end
  refuse('a change sets, fills, deletes, pauses or resumes')
end

local function planned(change)
  local limit = limit_name(change.limit)
  local before = call('HGET', key('limits'), limit) or nil
  local info = call('HGET', key('limits:info'), limit) or ''
  local words = string.match(info, '^(.-) description=') or info -- a description may say anything
  local paused_from = word(words, 'paused_from')
  if change.kind == 'delete' and not before then
    return nil, { answer = 'missing', limit = limit }
  elseif change.kind == 'resume' and not paused_from then
    return nil, { answer = 'unpaused', limit = limit }
  end
  if change.kind == 'fill' and before then
    return { kept = true }
  end
  local after, remembers = changed(change, before, paused_from)
  return {
    limit = limit, kind = change.kind, before = before, after = after, paused_from = remembers,
    origin = (change.kind == 'set' or change.kind == 'fill') and 'new' or word(words, 'origin'),
    description = change.description and text(change.description, 'description', 2000)
      or string.match(info, ' description=(.*)$'),
  }
end

local function carry_out(plan, command)
  local limit = plan.limit
  if not plan.after then
    call('HDEL', key('limits'), limit)
    call('HDEL', key('limits:info'), limit)
  else
    local origin = plan.origin == 'new' and command.origin or plan.origin or command.origin
    call('HSET', key('limits'), limit, plan.after)
    local version = plan.kind == 'fill' and '0' or digits(meta.config)
    call('HSET', key('limits:info'), limit, 'origin=' .. origin .. ' version=' .. version
      .. ' by=' .. command.by .. ' at=' .. digits(math.floor(now / SECOND))
      .. (plan.paused_from and ' paused_from=' .. plan.paused_from or '')
      .. (plan.description and ' description=' .. plan.description or ''))
  end
  capacity_note(limit, plan.after)
  if string.sub(limit, -1) == '*' then
    places_mark_all('waiters:' .. string.sub(limit, 1, -2))
  else
    place_mark('waiters:' .. limit)
  end
  call('XADD', key('audit'), 'MAXLEN', '~', MOST_AUDITED, '*', 'what', plan.kind .. ' ' .. limit,
    'before', plan.before or 'none', 'after', plan.after or 'none', 'by', command.by, 'origin', command.origin)
end

local function checked_settings(settings)
  for name, value in pairs(settings) do
    if name == 'granularity' then
      if value ~= 'op' and value ~= 'run' and value ~= '' then
        refuse("granularity must be 'op' or 'run'")
      end
    elseif SPANS[name] then
      if value ~= '' and not (tonumber(value) and tonumber(value) > 0 and tonumber(value) < 10 ^ 9) then
        refuse(name .. ' must be seconds above 0')
      end
    else
      refuse('there is no setting ' .. text(name, 'a setting', 100))
    end
  end
  call('HLEN', key('settings'))
  return settings
end

local function set(name, value, command)
  local before = setting(name)
  if (before or '') == value then
    return
  elseif value == '' then
    call('HDEL', key('settings'), name)
  else
    call('HSET', key('settings'), name, value)
  end
  memo.settings[name] = value ~= '' and value
  if name == 'granularity' then
    places_mark_all('')
  end
  call('XADD', key('audit'), 'MAXLEN', '~', MOST_AUDITED, '*', 'what', 'set ' .. name, 'before', before or 'none',
    'after', value ~= '' and value or 'none', 'by', command.by, 'origin', command.origin)
end

local function change_limits(n, command)
  if not is_new(n) then
    local before = answer_kept(n)
    if before then
      return { answer = 'changed', config = tonumber(before) }
    end
  end
  one_word(command.by, 'by')
  if command.origin ~= 'file' and command.origin ~= 'hand' then
    refuse("origin must be 'file' or 'hand'")
  end
  if command.expect and command.expect ~= meta.config then
    return { answer = 'conflict', config = meta.config }
  end
  local plans, named, settings = {}, {}, checked_settings(command.settings or {})
  for _, change in ipairs(command.changes or {}) do
    if named[change.limit] then
      refuse('a limit is changed once in a command')
    end
    named[change.limit or ''] = true
    local plan, answer = planned(change)
    if not plan then
      return answer
    end
    if not plan.kept then
      plans[#plans + 1] = plan
    end
  end
  call('XLEN', key('audit')) -- proves its type before the first write
  meta_set('config', meta.config + 1)
  for _, plan in ipairs(plans) do
    carry_out(plan, command)
  end
  for name, value in pairs(settings) do
    set(name, value, command)
  end
  answer_keep(n, digits(meta.config))
  return { answer = 'changed', config = meta.config, changes = #plans > 0 and plans or nil }
end
