-- Regroup: runs leave the places of pools when the granularity becomes `op`: they need no slots of pools any more, and
-- a full pool is not looked at until it has room. Bounded: a part at a time, what is left is undrained.
-- Reads and writes: places, and through groups.lua and queued.lua.

local PLACES, GROUPS = 8, 16 -- looked at in one try

local function group_replace(hash, place)
  local member, score = group_first(hash)
  local id = string.match(member or '', '^run:(.*)$')
  local run = id and run_told(id)
  if not run or not run.needs then
    return false
  end
  local needs = needs_parse(run_words(run.needs, run.pools))
  local better = run_place(hash, needs, score, run.queue, run.job)
  if better == place then
    return false
  end
  group_park(hash, better, score)
  place_mark(better)
  return true
end

-- Works on `regroup PREFIX FROM` (places by name) or `regroup-in PLACE OFFSET`; returns what is left of it, or nil.
local function regroup(entry)
  local prefix, from = string.match(entry, '^regroup ([^ ]*) ([^ ]*)$')
  if prefix then
    local found = call('ZRANGE', key('places'), '[' .. from, '[' .. prefix .. '\255', 'BYLEX', 'LIMIT', 0, PLACES + 1)
    for i = 1, math.min(#found, PLACES) do
      undrained_add('regroup-in ' .. found[i] .. ' 0')
    end
    return found[PLACES + 1] and 'regroup ' .. prefix .. ' ' .. found[PLACES + 1]
  end
  local place, offset = string.match(entry, '^regroup%-in ([^ ]*) (%d+)$')
  offset = tonumber(offset)
  local hashes = call('ZRANGE', key(place), offset, offset + GROUPS - 1)
  for _, hash in ipairs(hashes) do
    if not group_replace(hash, place) then
      offset = offset + 1
    end
  end
  return #hashes == GROUPS and 'regroup-in ' .. place .. ' ' .. offset or nil
end
