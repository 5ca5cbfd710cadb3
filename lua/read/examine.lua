-- doctor: proves unit by unit that what is stored agrees. `keys` tells which keys there are, since an index may be
-- lost. Questions: keys { cursor } -> { rows: { key, type }, cursor }; index { name, cursor } -> { names, cursor };
-- doctor { unit, todo: list of { name, cursor } } -> { findings: { what, key, name, ... }, highest, left }; doctor {
-- unit: namespace, highest } -> { findings }. Reads: every key of the namespace.

local function read_keys(question)
  local cursor = text(question.cursor or '0', 'cursor', 32)
  if not string.match(cursor, '^%d+$') then
    refuse('a cursor is a number')
  end
  local page = call('SCAN', cursor, 'MATCH', prefix .. '*', 'COUNT', 2 * MOST_ROWS)
  local rows = {}
  for i, name in ipairs(page[2]) do
    local kind = call('TYPE', name)
    rows[i] = { key = string.sub(name, #prefix + 1), type = kind.ok or kind }
  end
  return { rows = rows_or_nil(rows), cursor = page[1] ~= '0' and page[1] or nil }
end

local function read_index(question)
  local name = question.name == 'places' and 'places' or 'sessions'
  local cursor, found = page_of('ZSCAN', key(name), text(question.cursor or '0', 'cursor', 32))
  local names = {}
  for i = 1, #found, 2 do
    names[#names + 1] = found[i]
  end
  return { names = rows_or_nil(names), cursor = cursor ~= '0' and cursor or nil }
end

local function examine_limits(name, cursor)
  local other = name == 'limits' and 'limits:info' or 'limits'
  local next_cursor, found = page_of('HSCAN', key(name), cursor)
  for i = 1, #found, 2 do
    if name == 'limits:info' then
      saw('config', word(found[i + 1], 'version'))
    end
    if call('HEXISTS', key(other), found[i]) == 0 then
      find(name == 'limits' and 'info_missing' or 'limit_missing', other, { name = found[i] })
    end
  end
  return next_cursor
end

local function examine_broken(name, cursor)
  local next_cursor, found = page_of('HSCAN', key(name), cursor)
  for i = 1, #found, 2 do
    find('broken', name, { name = found[i], detail = found[i + 1] })
  end
  return next_cursor
end

local function earliest(name)
  return tonumber(call('ZRANGE', key(name), 0, 0, 'WITHSCORES')[2] or '') or LARGEST
end

-- Asked last, with the highest of everything seen before: `meta` never runs behind it.
local function examine_namespace(seen)
  if not meta_known then
    find('meta_missing', 'meta')
    return
  end
  for field, limit in pairs({ sequence = meta.sequence, token = meta.token, config = meta.config,
    expiry = meta.clock + meta.ttl }) do
    if tonumber(seen[field] or '') and tonumber(seen[field]) > limit then
      find('meta_behind', 'meta', { name = field == 'expiry' and 'clock' or field })
    end
  end
  if math.min(earliest('sessions'), earliest('timers')) < meta.next then
    find('meta_asleep', 'meta')
  end
  if meta.config > 0 and call('EXISTS', key('audit')) == 0 then
    find('audit_missing', 'audit')
  end
end

local UNITS = {
  session = examine_session, leases = examine_leases, slots = examine_slots, requests = examine_requests,
  members = examine_members, group = examine_group, place = examine_place, limits = examine_limits,
  broken = examine_broken, run = examine_run, run_index = examine_run_index, queued = examine_queued,
  takes = examine_takes, workers = examine_workers, codes = examine_codes, code = examine_code, lines = examine_lines,
  jobs = examine_jobs, job = examine_job,
}

local function read_doctor(question)
  local unit, left = UNITS[question.unit], nil
  if question.unit == 'namespace' then
    examine_namespace(question.highest or {})
  elseif not unit then
    refuse('there is no such unit')
  else
    waiting = true -- the index that says so may be what is missing
    left = worked_off(question.todo, function(name, cursor)
      local fine, result = pcall(unit, name, cursor)
      if not fine then
        find('unreadable', name, { detail = describe(result) })
      end
      return fine and result or '0'
    end)
  end
  local seen = {}
  for field, value in pairs(highest_seen) do
    seen[field] = digits(value)
  end
  return { findings = rows_or_nil(findings), highest = seen, left = left }
end
