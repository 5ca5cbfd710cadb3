-- sessions, meta: who lives, and the namespace as a whole.
-- Questions: sessions { cursor } -> { rows, cursor }; meta {} -> { epoch, server, ttl, grace, ... }.
-- Reads: sessions, session:ID, meta, places, undrained, broken, settings.

local function read_sessions(question)
  local rows = {}
  rows_left = MOST_ROWS / 4 -- a row costs four entries
  local cursor, found = page_of('ZSCAN', key('sessions'), text(question.cursor or '0', 'cursor', 32))
  for i = 1, #found, 2 do
    rows[#rows + 1] = session_row(found[i]) or { id = found[i] } -- it ended; what it had is on its way back
  end
  return { rows = rows_or_nil(rows), cursor = cursor ~= '0' and cursor or nil }
end

local function read_meta()
  local settings, found = {}, call('HGETALL', key('settings'))
  for i = 1, #found, 2 do
    settings[found[i]] = found[i + 1]
  end
  return {
    settings = next(settings) and settings or nil,
    schema = meta.schema, epoch = digits(meta.epoch), server = meta.server, ttl = meta.ttl / SECOND,
    config = meta.config, grace = in_grace() and (meta.grace - meta.clock) / SECOND or nil,
    sessions = call('ZCARD', key('sessions')), places = call('ZCARD', key('places')),
    undrained = call('ZCARD', key('undrained')), broken = call('HLEN', key('broken')),
  }
end
