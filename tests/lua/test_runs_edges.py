"""Runs where two things meet: what ended in the same call, what is taken back, what was never granted."""

from __future__ import annotations

import pytest

from semaphores.scripts.commands import Cancel, ChangeLimits
from semaphores.scripts.run_commands import CancelRun, Enroll, Finish, RetryRun, Submit
from tests.lua.fleet import enroll, finish, status, submit, take, token
from tests.lua.harness import Calls, Session

CLASH = {"conflict": "replace", "conflict_limit": "tag:job=etl"}


@pytest.fixture
def worker(calls: Calls, alice: Session) -> Session:
    """A session that works on the queue `default` and has the code of `etl`."""
    found = calls.session("worker")
    enroll(found, "etl")
    return found


def test_a_take_that_stays_idle_asks_for_no_further_call(calls: Calls, alice: Session, worker: Session) -> None:
    """Else each of them costs a second call as long as anything waits anywhere."""
    alice.acquire("pool:db=1")
    alice.acquire("pool:db=1")
    assert not take(worker).more
    assert "undrained" not in calls.keys()  # noqa: SIM118 (a method of Calls)


def test_a_run_that_was_canceled_while_it_waited_can_be_retried(calls: Calls, alice: Session, worker: Session) -> None:
    calls.connection.zadd(calls.key("timers"), {"cancel other 1": 10**18})
    submit(alice, "r1")
    alice.send(CancelRun("r1", "me"))
    assert alice.send(RetryRun("r1", "me")).answer == {"answer": "queued", "run": "r1"}
    assert len(take(worker).granted) == 1


def test_a_replacement_leaves_alone_a_run_that_is_over_but_whose_lease_is_not_back(
    calls: Calls, alice: Session, worker: Session
) -> None:
    alice.send(ChangeLimits([], "hand", "me", settings={"start_timeout": "1"}))
    submit(alice, "r1")
    take(worker)
    calls.connection.zadd(calls.key("timers"), {f"start r1 {token(calls, 'r1')}": 0})
    calls.connection.hset(calls.key("meta"), "next", 0)
    alice.ask()
    assert status(calls, "r1") == "FAILURE"
    assert calls.usage("runs") == 1, "its worker was told to give its lease back, and did not yet"
    assert "replaces" not in submit(alice, "r2", **CLASH)
    assert status(calls, "r1") == "FAILURE"


def test_a_replacement_in_the_call_that_finishes_a_run_does_not_wait_for_it(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "r1")
    take(worker)
    needs = "runs=1 tag:job=1 tag:job=etl=1"
    worker.send(
        Finish("r1", token(calls, "r1"), "SUCCESS"),
        Submit("r2", "etl", "default", "here", needs, 3, "me", conflict="replace", conflict_limit="tag:job=etl"),
    )
    assert status(calls, "r1") == "SUCCESS"
    assert len(take(worker).granted) == 1


def test_a_canceled_replacement_that_is_retried_waits_for_nobody(calls: Calls, alice: Session, worker: Session) -> None:
    submit(alice, "r1")
    take(worker)
    submit(alice, "r2", **CLASH)
    alice.send(CancelRun("r2", "me"))
    alice.send(RetryRun("r2", "me"))
    assert "after" not in calls.hash("run:r2")
    assert len(take(worker).granted) == 1
    finish(worker, "r1", "CANCELED")
    assert status(calls, "r2") == "STARTING"
    assert not {key for key in calls.keys() if key.startswith(("group", "waiters", "line", "jobs:"))}  # noqa: SIM118


def test_a_worker_that_enrolls_with_another_code_leaves_its_old_one(
    calls: Calls, alice: Session, worker: Session
) -> None:
    worker.send(Enroll("default,other", "c2", "concurrency=1", [{"name": "etl"}]))
    assert sorted(key for key in calls.keys() if key.startswith(("workers:", "code:"))) == [  # noqa: SIM118
        *("code:default:c2", "code:other:c2", "workers:default:c2", "workers:other:c2")
    ]


def test_a_take_is_given_up_as_a_request_is(calls: Calls, alice: Session, worker: Session) -> None:
    take(worker)
    assert worker.send(Cancel(worker.n, explain=True)).answer == {"answer": "cancelled"}
    assert not {key for key in calls.keys() if key.startswith("takes")}  # noqa: SIM118


def test_a_run_that_was_moved_too_often_is_reserved_for_while_a_worker_has_its_job(
    calls: Calls, alice: Session, worker: Session
) -> None:
    """Room is kept for it; not any more when its last worker is gone, so that it keeps nobody waiting."""
    alice.change(*[{"limit": f"tag:{tag}", "kind": "set", "capacity": 1} for tag in "ab"])
    held = [alice.acquire("tag:a=1"), alice.acquire("tag:b=1")]
    submit(alice, "both", tags=["a=1", "b=1"])
    group = calls.hash("run:both")["group"]
    calls.connection.hset(calls.key(f"group:{group}"), "moves", 7)
    alice.release(held[0])
    assert calls.hash("meta")["reserving"] == group
    worker.end()
    alice.ask()
    alice.ask()
    assert calls.hash("meta")["reserving"] == ""
