-- The script that only reads: no session, no N, no step of the lease clock.
-- KEYS: meta, never. ARGV[1]: a question { ask, ... }, msgpack. Reply: msgpack, what the question's file says, with
-- now (seconds), quiet (seconds since anyone called), known (whether the namespace exists).

local READS = {
  names = read_names, limits = read_limits, leases = read_leases, requests = read_requests, holders = read_holders,
  sessions = read_sessions, session = read_session, meta = read_meta, why = read_why, audit = read_audit,
  keys = read_keys, index = read_index, doctor = read_doctor, runs = read_runs, run = read_run, log = read_log,
  counts = read_counts, jobs = read_jobs, workers = read_workers, waiters = read_waiters, lines = read_lines,
}

local function run_read()
  local question = cmsgpack.unpack(ARGV[1])
  local read = type(question) == 'table' and READS[question.ask]
  if not read then
    refuse('there is no such question')
  end
  meta_read()
  pcall(places_start) -- where the index cannot be read, everybody has waiters before him
  local reply = read(question)
  reply.now, reply.quiet, reply.known = now / SECOND, quiet(), meta_known
  return cmsgpack.pack(reply)
end
