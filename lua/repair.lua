-- The script that makes stored things agree again; each item is looked at once more before it is mended, so that
-- what was only on its way stays as it is. KEYS: meta, never. ARGV[1]: { repair, items (up to 200) }, msgpack.
-- Reply: msgpack { done, failed: list of { item, reason } }.

local REPAIRS = {
  meta = repair_meta, type = repair_type, limit = repair_limit, audit = repair_audit, session = repair_session,
  lease = repair_lease, orphan = repair_orphan, request = repair_request, member = repair_member,
  group = repair_group, place = repair_place, drain = repair_drain, broken = repair_broken, run = repair_run,
  run_index = repair_run_index, run_queued = repair_run_queued, run_waiting = repair_run_waiting,
  run_lease = repair_run_lease, lease_run = repair_lease_run, worker = repair_worker, code = repair_code,
  worker_index = repair_worker_index, jobs_of = repair_jobs_of, take = repair_take, take_index = repair_take_index,
  job = repair_job, line = repair_line,
}
local MOST_ITEMS = 200

local function run_repair()
  local question = cmsgpack.unpack(ARGV[1])
  local mend = type(question) == 'table' and REPAIRS[question.repair]
  if not mend or type(question.items) ~= 'table' or #question.items > MOST_ITEMS then
    refuse('there is no such repair')
  end
  meta_read()
  if not meta_known and question.repair ~= 'meta' and question.repair ~= 'type' then
    refuse('meta is missing: repair it first')
  end
  now_ms = digits(math.floor(now / 1000))
  pcall(places_start)
  waiting = true -- the index that says so may be what is missing
  local done, failed = 0, {}
  for i, item in ipairs(question.items) do
    local fine, problem = pcall(mend, item)
    if fine then
      done = done + 1
    else
      failed[#failed + 1] = { item = i, reason = describe(problem) }
    end
  end
  slots_write()
  runs_write()
  if meta_known then
    places_write()
    meta_set('next', 0) -- the reaper looks again
    clock_write()
  end
  return cmsgpack.pack({ done = done, failed = #failed > 0 and failed or nil })
end
