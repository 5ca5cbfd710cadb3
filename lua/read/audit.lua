-- audit: what was changed by hand or from files, newest first.
-- Question: audit { count, before (an entry's id: go on behind it) } -> { rows: { id, fields } }. Reads: audit.

local MOST_TOLD = 500

local function read_audit(question)
  local count = whole(question.count or 50, 'count', 1, MOST_TOLD)
  local from = question.before and '(' .. text(question.before, 'before', 64) or '+'
  local rows = {}
  for i, entry in ipairs(call('XREVRANGE', key('audit'), from, '-', 'COUNT', count)) do
    local fields = {}
    for j = 1, #entry[2], 2 do
      fields[entry[2][j]] = entry[2][j + 1]
    end
    rows[i] = { id = entry[1], fields = fields }
  end
  return { rows = rows_or_nil(rows) }
end
