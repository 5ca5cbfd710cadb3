-- repair, limits: capacities and what is known of them, from the audit (read by the caller); stray keys; the audit
-- itself. Items: { limit, capacity, info }; { key, wanted }; names of `broken`. Reads and writes: limits,
-- limits:info, audit, broken.

local function repair_limit(item)
  local limit = text(item.limit, 'limit', 1024)
  if item.capacity and call('HEXISTS', key('limits:info'), limit) == 1 then
    call('HSETNX', key('limits'), limit, digits(whole(item.capacity, 'capacity', -1, 1000000)))
  end
  if item.info and call('HEXISTS', key('limits'), limit) == 1 then
    call('HSETNX', key('limits:info'), limit, text(item.info, 'info'))
  end
end

-- A key of another type than ours cannot be ours: what belongs there is built anew from the rest.
local function repair_type(item)
  local name = key(text(item.key, 'key', 1200))
  local kind = call('TYPE', name)
  kind = kind.ok or kind
  if kind ~= 'none' and kind ~= text(item.wanted, 'wanted', 10) then
    call('DEL', name)
  end
end

local function repair_audit()
  if call('EXISTS', key('audit')) == 0 then
    call('XADD', key('audit'), '*', 'what', 'repair audit', 'by', 'doctor', 'before', 'lost', 'after', 'begun anew')
  end
end

local function repair_broken(name)
  call('HDEL', key('broken'), text(name, 'name', 2000))
end
