"""A run that is granted and not started in time, by a worker that froze between the two: here, by hand."""

from __future__ import annotations

import time

from semaphores.scripts.commands import ChangeLimits
from tests.lua.fleet import enroll, start, status, submit, take, token
from tests.lua.harness import Calls
from tests.servers import Server


def test_a_run_that_does_not_start_in_time_fails_and_a_late_start_is_refused(server: Server, namespace: str) -> None:
    """run_monitoring, start_timeout_seconds; test_monitor_starting."""
    calls = Calls(server, namespace)
    try:
        caller, worker = calls.session("caller"), calls.session("worker")
        enroll(worker, "etl")
        caller.send(ChangeLimits([], "file", "me", None, {"start_timeout": "0.5"}))
        caller.change({"limit": "runs", "kind": "set", "capacity": 1})
        submit(caller, "r1")
        submit(caller, "r2")
        take(worker)
        old, began = token(calls, "r1"), time.monotonic()
        while status(calls, "r1") == "STARTING":
            assert status(calls, "r2") == "QUEUED"
            caller.ask()
            assert time.monotonic() < began + 5
            time.sleep(0.01)  # where time is the subject
        assert 0.4 <= time.monotonic() - began <= 2.5
        assert status(calls, "r1") == "FAILURE"
        assert "did not start" in calls.hash("run:r1")["reason"]
        assert start(worker, "r1")["answer"] == "stale"
        assert old == token(calls, "r1")
        assert calls.usage("runs") == 1, "its slot is its worker's until that answers, or is gone"
    finally:
        calls.close()
