"""The granularity of pools, changed while runs wait."""

from __future__ import annotations

from semaphores.scripts.commands import ChangeLimits
from tests.lua.fleet import enroll, status, submit, take
from tests.lua.harness import Calls, Session

JOBS = 80  # more groups than one try moves, and than one call tries


def granularity(caller: Session, value: str) -> None:
    caller.send(ChangeLimits([], "file", "me", None, {"granularity": value}))


def settled(caller: Session) -> None:
    while caller.ask().more:
        pass


def test_runs_leave_a_full_pool_that_they_need_no_more_also_from_behind_an_op_that_needs_it(
    calls: Calls, alice: Session, bob: Session
) -> None:
    """Closes: a full place was not looked into, so they stayed until the pool was freed."""
    granularity(alice, "run")
    alice.acquire("pool:db=1")
    bob.acquire("pool:db=1")  # the first in line, and it stays
    for n in range(JOBS):
        submit(alice, f"r{n}", f"job-{n}", pools="pool:db=1")
    granularity(alice, "op")
    settled(alice)
    places = {group["place"] for name in calls.dump() if (group := _group(calls, name))}
    assert places == {"waiters:pool:db", *(f"line:default:job-{n}" for n in range(JOBS))}
    worker = calls.session("worker")
    enroll(worker, *(f"job-{n}" for n in range(JOBS)))
    take(worker)
    assert status(calls, "r0") == "STARTING"
    assert calls.usage("pool:db") == 1


def test_runs_that_wait_for_another_limit_wait_for_the_pool_too_once_the_granularity_is_run(
    calls: Calls, alice: Session
) -> None:
    alice.change({"limit": "runs", "kind": "set", "capacity": 0}, {"limit": "pool:db", "kind": "set", "capacity": 0})
    submit(alice, "r1", pools="pool:db=1")
    granularity(alice, "run")
    alice.change({"limit": "runs", "kind": "delete"})
    assert [group["place"] for name in calls.dump() if (group := _group(calls, name))] == ["waiters:pool:db"]


def _group(calls: Calls, name: str) -> dict[str, str]:
    return calls.hash(name) if name.startswith("group:") and name.count(":") == 1 else {}
