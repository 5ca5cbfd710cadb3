-- Places where groups wait, and `undrained`: the places that may have room.
-- Reads and writes: places, undrained.
-- Invariant: a place in use that may have room is in `undrained`, here a Lua list of which only what is left is
-- stored at the end of the call.

local MOST_TRIES = 64
local unmarkable = false -- the index of places is broken: nobody is passed, and marks are lost until it is repaired
local own_grants -- to the calling session, if any: its reply carries them, no message is needed
local todo -- where anything is: a list from `first` on, what it `has`, what of it was `stored` before

local function todo_list()
  todo = todo or { first = 1, has = {}, stored = {} }
  return todo
end

local function places_start()
  if call('EXISTS', key('places'), key('undrained')) == 0 then
    return
  end
  waiting, unmarkable = true, true -- until both are read
  waiting = call('ZCARD', key('places')) > 0
  for _, place in ipairs(call('ZRANGE', key('undrained'), 0, MOST_TRIES)) do
    local list = todo_list()
    list[#list + 1] = place
    todo.has[place], todo.stored[place] = true, true
  end
  unmarkable = false
end

-- Found or made once a call: memo.places[place].
local function place_used(place)
  local used_now = memo.places[place]
  if used_now == nil then
    used_now = call('ZSCORE', key('places'), place) and true
    memo.places[place] = used_now
  end
  return used_now
end

-- The first group of a place and its order. Found once, until the place changes: memo.firsts[place].
local function place_first(place)
  local first = memo.firsts[place]
  if not first then
    first = call('ZRANGE', key(place), 0, 0, 'WITHSCORES')
    memo.firsts[place] = first
  end
  return first[1], tonumber(first[2] or '')
end

-- Whoever writes to a place says so.
local function place_changed(place)
  memo.firsts[place] = nil
end

local function place_mark(place)
  if waiting and not unmarkable and not (todo and todo.has[place]) and place_used(place) then
    place_undrained(place)
  end
end
