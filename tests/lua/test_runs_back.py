"""Runs that are brought back after a loss of data, and those that their workers do not live to start."""

from __future__ import annotations

import pytest

from semaphores.scripts.commands import Beat, Reassert
from tests.lua.fleet import enroll, finish, start, status, submit, take, token
from tests.lua.harness import Calls, Session

NEEDS = "runs=1 tag:job=1 tag:job=etl=1"


@pytest.fixture
def worker(calls: Calls, alice: Session) -> Session:
    found = calls.session("worker")
    enroll(found, "etl")
    return found


def grace(calls: Calls, seconds: int = 10) -> None:
    """As after a loss of data."""
    clock = int(calls.hash("meta")["clock"])
    calls.connection.hset(calls.key("meta"), "grace", clock + seconds * 1_000_000)


def bring_back(worker: Session, n: int, of: str, **more: str) -> None:
    run = {"id": "r1", "job": "etl", "queue": "default", "needs": NEEDS, "attempt": "0", "order": "1", **more}
    lease = {"lease": n, "needs": NEEDS, "token": int(of), "holder": "h:1:seat", "since": 1_700_000_000_000, "run": run}
    assert worker.send(Reassert([lease], [], 0)).answer == {"answer": "reasserted"}


def test_a_run_that_is_over_is_not_brought_to_life_by_a_worker_that_has_not_heard_of_it(
    calls: Calls, alice: Session, worker: Session
) -> None:
    """It would go back into the queue with the next beat, and be worked on twice."""
    submit(alice, "r1")
    take(worker)
    n, of = worker.n, token(calls, "r1")
    start(worker, "r1")
    finish(worker, "r1")
    grace(calls)
    bring_back(worker, n, of)
    assert status(calls, "r1") == "SUCCESS"
    worker.send(Beat(0, 99), mark=99)
    assert status(calls, "r1") == "SUCCESS"
    assert calls.usage("runs") == 0


def test_a_run_that_older_data_believe_to_be_queued_is_in_progress_again_with_its_attempt(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "r1")
    grace(calls)
    bring_back(worker, 77, "99")
    assert status(calls, "r1") == "STARTED"
    found = calls.hash("run:r1")
    assert (found["attempt"], found["token"], found["worker"]) == ("1", "99", "h:1:seat")
    assert found["granted"] == "1700000000000"
    assert finish(worker, "r1") == {"answer": "finished", "status": "SUCCESS"}


def test_a_run_that_somebody_else_has_by_now_stays_with_him(calls: Calls, alice: Session, worker: Session) -> None:
    submit(alice, "r1")
    take(worker)
    start(worker, "r1")
    of = token(calls, "r1")
    late = calls.session("late")
    grace(calls)
    bring_back(late, 5, str(int(of) - 1))
    assert (status(calls, "r1"), token(calls, "r1")) == ("STARTED", of)


def test_a_run_ends_when_five_workers_died_before_they_told_its_start(calls: Calls, alice: Session) -> None:
    submit(alice, "r1", max_attempts=1)
    for number in range(5):
        assert status(calls, "r1") == "QUEUED"
        worker = calls.session(f"w{number}")
        enroll(worker, "etl")
        take(worker)
        assert status(calls, "r1") == "STARTING"
        worker.end()
        alice.ask()
    assert status(calls, "r1") == "FAILURE"
    assert "5 workers died" in calls.hash("run:r1")["reason"]
    assert calls.usage("runs") == 0


def test_a_worker_that_tells_no_jobs_is_asked_for_them_where_they_are_not_known(
    calls: Calls, alice: Session, worker: Session
) -> None:
    from semaphores.scripts.run_commands import Enroll

    assert worker.send(Enroll("default", "c1", "concurrency=2")).answer == {"answer": "enrolled"}
    calls.connection.delete(calls.key("code:default:c1"))
    assert worker.send(Enroll("default", "c1", "concurrency=2")).answer == {"answer": "unenrolled"}
