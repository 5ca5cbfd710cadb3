"""Why, of runs: what keeps one queued is named with who holds it; what one in progress is at; how one ended."""

from __future__ import annotations

import pytest

from semaphores.errors import NotFound
from semaphores.runs.why import RunWhy, why
from semaphores.scripts.commands import ChangeLimits
from semaphores.scripts.run_commands import CancelRun, Report
from semaphores.status import leases, requests, sessions, status
from semaphores.why import LeaseWhy, RequestWhy, SessionWhy
from tests.lua.fleet import enroll, finish, start, submit, take, token
from tests.lua.harness import Calls, Session, number
from tests.promises.reading import Reading


@pytest.fixture
def alice(calls: Calls) -> Session:
    return calls.session("alice")


@pytest.fixture
def worker(calls: Calls, alice: Session) -> Session:
    found = calls.session("worker")
    enroll(found, "etl")
    return found


def why_of(read: Reading, run: str) -> RunWhy:
    found = read(why(run))
    assert isinstance(found, RunWhy)
    return found


def test_a_full_limit_is_named_with_the_runs_that_hold_it(
    calls: Calls, alice: Session, worker: Session, read: Reading
) -> None:
    alice.change({"limit": "tag:team=x", "kind": "set", "capacity": 1})
    for run in ("r1", "r2", "r3"):
        submit(alice, run, tags=["team=x"])
    take(worker)
    found = why_of(read, "r3")
    assert found.blocker is not None
    assert (found.blocker.limit, found.blocker.state, found.position) == ("tag:team=x", "full", 2)
    assert [holder.run for holder in found.blocker.holders] == ["r1"]
    assert "is number 2 in line for" in str(found)
    assert "1 of 1 held, full; held by run r1 on host:1:worker, " in str(found)
    assert "besides" not in str(found)


def test_a_paused_limit_says_so(alice: Session, worker: Session, read: Reading) -> None:
    alice.change({"limit": "runs", "kind": "pause"})
    submit(alice, "r1")
    assert "paused: nothing is granted until it is resumed" in str(why_of(read, "r1"))


def test_a_queue_without_a_living_worker_is_named(calls: Calls, alice: Session, worker: Session, read: Reading) -> None:
    submit(alice, "r1", queue="gpu")
    found = why_of(read, "r1")
    assert (found.served, found.workers, found.elsewhere) == (0, 0, ("default",))
    assert str(found).endswith("waits: there is no living worker of queue 'gpu' (workers of queue 'default' have it)")
    submit(alice, "r2")
    calls.connection.hset(calls.key("session:worker"), "expiry", 0)  # dead, and nobody noticed yet
    calls.connection.hset(calls.key("meta"), "since", -(10**8))
    assert "no living worker of queue 'default'" in str(why_of(read, "r2"))


def test_a_job_that_no_worker_of_its_queue_has_is_named(alice: Session, worker: Session, read: Reading) -> None:
    submit(alice, "r1", "report")
    assert "there is no worker of queue 'default' with the code of job 'report'" in str(why_of(read, "r1"))
    alice.change({"limit": "runs", "kind": "set", "capacity": 0})
    submit(alice, "r2", "report")
    assert "; besides, there is no worker of queue 'default' with the code" in str(why_of(read, "r2"))


def test_a_run_that_only_lacks_a_seat_says_its_place_in_line(alice: Session, worker: Session, read: Reading) -> None:
    for run in ("r1", "r2", "r3"):
        submit(alice, run)
    take(worker)
    found = why_of(read, "r3")
    assert (found.position, found.served, found.workers) == (2, 1, 1)
    assert "is number 2 in line for a free seat: the worker of queue 'default'" in str(found)


def test_a_replacement_says_whom_it_waits_for(alice: Session, worker: Session, read: Reading) -> None:
    submit(alice, "r1")
    take(worker)
    submit(alice, "r2", conflict="replace", conflict_limit="tag:job=etl")
    assert "waits for run r1 (CANCELING on host:1:worker) to end, which it replaces" in str(why_of(read, "r2"))


def test_in_a_grace_it_is_the_grace(calls: Calls, read: Reading) -> None:
    session = calls.session("a", init=False)
    submit(session, "r1")
    assert "waits: nothing is granted for another" in str(why_of(read, "r1"))


def test_a_run_in_progress_says_where_it_is_and_what_its_ops_wait_for(
    calls: Calls, alice: Session, worker: Session, read: Reading
) -> None:
    submit(alice, "r1")
    take(worker)
    assert "was granted and is about to start on host:1:worker for 0." in str(why_of(read, "r1"))
    start(worker, "r1")
    ops = {"load": "WAITING since=1000 attempt=1 limit=pool:db text=", "extract": "SUCCESS since=900 attempt=1 text="}
    worker.send(Report("r1", token(calls, "r1"), ops))
    told = str(why_of(read, "r1"))
    assert "run r1 of job 'etl' runs on host:1:worker for 0." in told
    assert ", attempt 1 of 3; op 'load' waits for " in told
    assert "for pool 'db'" in told
    assert "extract" not in told
    alice.send(CancelRun("r1", "me"))
    assert "is being canceled (canceled by me) on host:1:worker" in str(why_of(read, "r1"))


def test_a_run_that_is_over_says_how(alice: Session, worker: Session, read: Reading) -> None:
    submit(alice, "r1")
    take(worker)
    start(worker, "r1")
    finish(worker, "r1", "FAILURE", reason="op 'load' failed")
    told = str(why_of(read, "r1"))
    assert told.startswith("run r1 of job 'etl' is over: FAILURE at 20")
    assert told.endswith(", attempt 1: op 'load' failed")


def test_an_unknown_run_is_not_found(alice: Session, read: Reading) -> None:
    with pytest.raises(NotFound):
        read(why("0123456789abcdef"))
    with pytest.raises(NotFound):
        read(why("nightly"))


# What other reads tell of runs and of free seats


def test_a_lease_shows_its_run(calls: Calls, alice: Session, worker: Session, read: Reading) -> None:
    submit(alice, "r1")
    take(worker)
    assert [lease.run for lease in read(leases())] == [lease.run for lease in read(leases("runs"))] == ["r1"]
    found = read(why(f"worker/{worker.n}"))
    assert isinstance(found, LeaseWhy)
    assert f"lease worker/{worker.n} of run r1 is granted since" in str(found)


def test_a_request_names_the_run_that_holds_what_it_waits_for(
    calls: Calls, alice: Session, worker: Session, read: Reading
) -> None:
    alice.change({"limit": "tag:team=x", "kind": "set", "capacity": 1})
    submit(alice, "r1", tags=["team=x"])
    take(worker)
    waits = alice.acquire("tag:team=x=1")
    found = read(why(f"alice/{number(waits)}"))
    assert isinstance(found, RequestWhy)
    assert "held by run r1 on host:1:worker" in str(found)
    full = alice.acquire("tag:team=x=1", once=True)
    assert isinstance(full["holders"], list)
    assert full["holders"][0]["run"] == "r1"


def test_a_free_seat_is_no_request_that_waits(calls: Calls, alice: Session, worker: Session, read: Reading) -> None:
    take(worker)
    assert read(requests()) == ()
    assert {session.id: session.waiting for session in read(sessions())} == {"alice": 0, "worker": 0}
    found = read(why("worker"))
    assert isinstance(found, SessionWhy)
    assert (found.session.waiting, found.requests) == (0, ())
    assert isinstance(read(why(f"worker/{worker.n}")), SessionWhy)


def test_queued_runs_wait_for_the_limit_that_blocks_them(alice: Session, worker: Session, read: Reading) -> None:
    alice.send(ChangeLimits([{"limit": "runs", "kind": "set", "capacity": 0}], "hand", "me"))
    submit(alice, "r1")
    submit(alice, "r2", priority=3)
    (limit,) = [one for one in read(status()) if one.limit == "runs"]
    assert limit.waiting == 2
    assert limit.oldest_wait is not None
    assert read(requests()) == ()
