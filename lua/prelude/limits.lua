-- Capacities, and what a request needs in words.
-- Reads: limits. Invariant: a capacity is read once a call; absent is unlimited, and so is -1, which for a pool also
-- sets aside the default.

local UNLIMITED = 1 / 0 -- math is not there while a library is loaded
local MOST_SLOTS, MOST_NEEDS = 1000, 2 * 64 + 32 + 1
local LONGEST_NEEDS = 262144 -- of 161 limits; 200 bytes of key and of value may be 600 each, percent-encoded
local capacities = {} -- by name in `limits`, as read or as changed in this call
local effective = {} -- by limit: what that comes to; begun anew when a capacity changes in this call
local needs_known = {} -- parsed needs by their words: in a call of many commands most are alike

local function rule_of(limit)
  if string.sub(limit, 1, 5) == 'pool:' then
    return 'pool:*'
  end
  local tag = string.match(limit, '^tag:[^=]+=')
  return tag and tag .. '*'
end

local function capacity_read(limit, stored)
  local value = tonumber(stored or '')
  capacities[limit] = value and (value >= 0 and value or UNLIMITED) or false
end

-- Notes what is stored for a limit from now on; false: no capacity of its own.
local function capacity_note(limit, stored)
  capacity_read(limit, stored)
  effective = {}
end

local function limits_read(names)
  local missing = {}
  for _, name in ipairs(names) do
    if capacities[name] == nil then
      missing[#missing + 1] = name
    end
  end
  if #missing == 0 then
    return
  end
  local values = call('HMGET', key('limits'), unpack(missing)) -- kept only once it is read: limits never fail open
  for i, name in ipairs(missing) do
    capacity_read(name, values[i])
  end
end

-- What a request of several limits will ask for, in one read.
local function capacities_ahead(needs)
  local names = {}
  for _, need in ipairs(needs) do
    names[#names + 1] = need[1]
    names[#names + 1] = rule_of(need[1])
  end
  limits_read(names)
end

-- The slots of a limit: its own capacity, else its default (pools); the smaller of both (values of a tag).
local function capacity_of(limit)
  local known = effective[limit]
  if known then
    return known
  end
  local own = capacities[limit]
  local rule = rule_of(limit)
  if own == nil or (rule and capacities[rule] == nil) then
    limits_read({ limit, rule })
    own = capacities[limit]
  end
  local default = rule and capacities[rule]
  if string.sub(limit, 1, 4) == 'tag:' then
    known = math.min(own or UNLIMITED, default or UNLIMITED)
  else
    known = own or default or UNLIMITED
  end
  effective[limit] = known
  return known
end

-- 'pool:api=2 pool:database=1' as a list of { limit, slots }. The caller sorts it by name: comparing text here would
-- depend on the server's locale.
local function needs_parse(words)
  local needs = needs_known[words]
  if needs then
    return needs
  end
  if type(words) ~= 'string' or #words > LONGEST_NEEDS then
    refuse('needs must be one line of text')
  end
  needs = {}
  local seen = {}
  for need in string.gmatch(words, '[^ ]+') do
    local limit, slots = string.match(need, '^([^%c]+)=(%d+)$')
    slots = tonumber(slots)
    if not limit or not (limit == 'runs' or string.match(limit, '^pool:.') or string.match(limit, '^tag:[^=]')) then
      refuse('needs must be words such as pool:NAME=1')
    end
    if seen[limit] or slots < 1 or slots > MOST_SLOTS then
      refuse('needs must name each limit once, with 1 to ' .. MOST_SLOTS .. ' slots')
    end
    seen[limit] = true
    needs[#needs + 1] = { limit, slots }
  end
  if #needs == 0 or #needs > MOST_NEEDS then
    refuse('needs must name 1 to ' .. MOST_NEEDS .. ' limits')
  end
  if #needs > 1 then
    capacities_ahead(needs)
  end
  needs_known[words] = needs
  return needs
end
