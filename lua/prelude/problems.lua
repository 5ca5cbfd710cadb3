-- Problems: how one is told, and where what cannot be worked off is written down.
-- Writes: broken.

local function describe(problem)
  if type(problem) == 'table' then
    return problem.refused or problem.err or 'unknown problem'
  end
  return tostring(problem)
end

-- What cannot be worked off is written down for `doctor`, and the rest goes on.
local function broken(what, problem)
  pcall(call, 'HSET', key('broken'), what, describe(problem))
end
