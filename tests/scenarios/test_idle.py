"""Whoever waits costs next to nothing: no calls but heartbeats, no processor."""

from __future__ import annotations

import asyncio
import time

from tests.scenarios.fleet import Fleet, Stage
from tests.scenarios.scenario import JobPlan, WorkerPlan
from tests.servers import start_server
from workers.submit import submit

SPAN = 3.0  # seconds
BEATS = 1.0  # a second at most, of a session that waits
SPARE = 3  # calls


def test_a_worker_that_waits_for_runs_and_slots_calls_the_server_for_its_heartbeat_only() -> None:
    """Closes: an executor that asks again and again for a slot (9.7 s of processor in 9.75 s, in Dagster)."""
    with start_server() as server:
        calls, seconds = asyncio.run(_idle(server.url))
    assert calls <= SPAN * BEATS + SPARE, f"{calls} calls in {SPAN} s"
    assert seconds < SPAN / 10, f"{seconds:.2f} s of processor in {SPAN} s"


async def _idle(url: str) -> tuple[int, float]:
    stage = Stage()
    fleet = Fleet(url, "idle", 10.0, stage.jobs({"etl": JobPlan({"work": {"pool": "db"}}), "held": JobPlan()}))
    try:
        fleet.client.limits.set("pool:db", 0)
        fleet.client.limits.set("tag:job=held", 0)
        await fleet.join("w", WorkerPlan())
        submit(fleet.jobs["etl"], client=fleet.client, run="waits")
        submit(fleet.jobs["held"], client=fleet.client, run="queued")
        await fleet.settle()
        await asyncio.sleep(1.0)  # what a worker tells of itself once, it has told
        assert [run.status for run in fleet.client.runs.list()] == ["QUEUED", "STARTED"]
        before, at = _calls(fleet), time.process_time()
        await asyncio.sleep(SPAN)
        return _calls(fleet) - before, time.process_time() - at
    finally:
        await fleet.close()


def _calls(fleet: Fleet) -> int:
    """How often functions were called in the server."""
    reply = fleet.client.connections.plain("INFO", "commandstats")
    assert isinstance(reply, bytes)
    lines = [line for line in reply.decode().splitlines() if line.startswith(("cmdstat_fcall:", "cmdstat_evalsha:"))]
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in lines)
