-- Undrained: working with the list of places that may have room.
-- Reads and writes: places, undrained.

local function undrained_add(entry)
  local list = todo_list()
  if not list.has[entry] and not unmarkable then
    list[#list + 1] = entry
    list.has[entry] = true
  end
end

-- A line is worked off with all lines of its queue: `queue QUEUE`.
local function place_undrained(place)
  local queue = string.match(place, '^line:([^:]+):')
  undrained_add(queue and 'queue ' .. queue or place)
end

-- One entry that walks the places whose names begin with a prefix, a bounded part at a time.
local function places_mark_all(prefix)
  if waiting then
    undrained_add('walk ' .. prefix .. ' ' .. prefix)
  end
end

-- Marks what the entry names next; returns the entry to go on with, or nil.
local function places_walk(entry)
  local prefix, from = string.match(entry, '^walk ([^ ]*) ([^ ]*)$')
  local found = call('ZRANGE', key('places'), '[' .. from, '[' .. prefix .. '\255', 'BYLEX', 'LIMIT', 0, 33)
  for i = 1, math.min(#found, 32) do
    place_undrained(found[i])
    if prefix == '' and string.sub(found[i], 1, 13) == 'waiters:pool:' then
      undrained_add('unpool ' .. found[i] .. ' -inf')
    end
  end
  return found[33] and 'walk ' .. prefix .. ' ' .. found[33]
end

local function undrained_drop_first()
  local entry = todo[todo.first]
  todo.first = todo.first + 1
  todo.has[entry] = nil
  return entry
end

-- Stores what is left, oldest first; returns whether there is any.
local function places_write()
  if not todo then
    return false
  end
  local gone = {}
  for place in pairs(todo.stored) do
    if not todo.has[place] then
      gone[#gone + 1] = place
    end
  end
  if #gone > 0 then
    call('ZREM', key('undrained'), unpack(gone))
  end
  for i = todo.first, #todo do
    if not todo.stored[todo[i]] then
      call('ZADD', key('undrained'), 'NX', digits(meta.clock + i), todo[i])
    end
  end
  if todo.first <= #todo then
    return true
  end
  return #gone > MOST_TRIES and call('EXISTS', key('undrained')) == 1
end
