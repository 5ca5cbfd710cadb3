-- Unpooled: runs that wait at a pool which they need no more, since the granularity is not `run` any longer.
-- Reads and writes through groups.lua and admission.lua. Entries of `undrained`: `unpool PLACE FROM`.
-- A full place is not looked into otherwise, and a group behind a first one that stays not at all.

local MOST_UNPOOLED = 32 -- groups a try

-- A group of runs goes to what blocks it now. One of leases, or that needs the pool, stays.
local function group_unpool(hash, place, score)
  local queue, job = unpack(call('HMGET', group_key(hash), 'queue', 'job'))
  local id = queue and string.match(group_first(hash) or '', '^run:(.*)$')
  local own, pools = unpack(id and call('HMGET', run_key(id), 'needs', 'pools') or {})
  if not own then
    return
  end
  local words = run_words(own, pools)
  if string.find(' ' .. words, ' ' .. string.sub(place, 9) .. '=', 1, true) then
    return
  end
  local to = run_place(hash, needs_parse(words), score, queue, job)
  if group_park(hash, to, score) then
    place_mark(to)
  end
end

local function unpool(entry)
  local place, from = string.match(entry, '^unpool (%S+) (%S+)$')
  local found = call('ZRANGE', key(place), from, '+inf', 'BYSCORE', 'LIMIT', 0, MOST_UNPOOLED + 1, 'WITHSCORES')
  for i = 1, math.min(#found, 2 * MOST_UNPOOLED), 2 do
    group_unpool(found[i], place, tonumber(found[i + 1]))
  end
  local rest = found[2 * MOST_UNPOOLED + 2]
  if rest then
    undrained_add('unpool ' .. place .. ' ' .. digits(tonumber(rest)))
  end
end
