-- What every file builds on: the namespace's keys, checks of arguments, refusals.
-- KEYS: meta (gives the prefix of all keys), never (a key that never exists: while a cluster moves the slot,
-- the server then refuses the call before it starts, instead of showing half of the keys).

local call = redis.call
local prefix = string.sub(KEYS[1], 1, -5)
local LARGEST = 2 ^ 52 -- of any number a caller sends: above it doubles lose whole numbers soon

-- Of what a call found out, each kind begins when it is first asked for: most calls need few.
local function kind_begun(found, kind)
  found[kind] = {}
  return found[kind]
end

local KINDS = { __index = kind_begun }
local memo = setmetatable({}, KINDS) -- memo.KIND[name]; the files that ask say what each is

local function key(name)
  return prefix .. name
end

-- Numbers of more than 14 digits must never pass through `..` or tostring.
local function digits(number)
  return string.format('%d', number) -- exact below 2^63, and ten times as fast as %.0f
end

-- Ends a command with an answer for its caller; everything gathered so far stays as it was before the command.
local function refuse(reason)
  error({ refused = reason }, 0)
end

local function whole(value, what, low, high)
  local kind = type(value)
  if kind == 'string' and string.match(value, '^-?%d+$') then
    value, kind = tonumber(value), 'number'
  end
  if kind == 'number' and value % 1 == 0 and value >= low and value <= high then
    return value
  end
  refuse(what .. ' must be a whole number from ' .. digits(low) .. ' to ' .. digits(high))
end

local function seconds(value, what)
  if type(value) ~= 'number' or not (value >= 0.1 and value <= 60) then
    refuse(what .. ' must be 1 to 60 seconds')
  end
  return value
end

local function text(value, what, longest)
  if type(value) ~= 'string' or #value > (longest or 4096) or string.find(value, '[%z\n\r]') then
    refuse(what .. ' must be one line of text')
  end
  return value
end

-- Text that can stand in a stored line as one word.
local function one_word(value, what)
  if type(value) ~= 'string' or #value > 255 or value == '' or string.find(value, '[%c ]') then
    refuse(what .. ' must be one word')
  end
  return value
end

local function plain_name(value, what)
  if type(value) ~= 'string' or #value > 64 or not string.match(value, '^[%w_.-]+$') then
    refuse(what .. " must be 1 to 64 letters, digits, '_', '.' or '-'")
  end
  return value
end

-- A word of a stored line: `token` of 'pool:a=1 token=7 holder=x'.
local function word(line, name)
  return string.match(line, '%f[^ %z]' .. name .. '=([^ ]*)')
end
