-- end: gives back all that the calling session holds and waits for.
-- Arguments: n. Answer: ended. Reads and writes: session:ID, sessions.

local function end_session()
  session_condemn(me.id)
  me.ended = true
  return { answer = 'ended' }
end
