"""Runs, script by script: queued, granted to takes within every limit, finished, lost, canceled, changed."""

from __future__ import annotations

import pytest

from semaphores.scripts.run_commands import CancelRun, Enroll, Finish, RetryRun, SetPriority, Start, Take
from tests.lua.fleet import enroll, finish, start, status, stored, submit, take, token
from tests.lua.harness import Calls, Session


@pytest.fixture
def worker(calls: Calls, alice: Session) -> Session:
    """A session that works on the queue `default` and has the code of `etl`."""
    found = calls.session("worker")
    enroll(found, "etl")
    return found


def test_a_take_gets_the_run_that_waits(calls: Calls, alice: Session, worker: Session) -> None:
    assert submit(alice, "r1") == {"answer": "queued", "run": "r1"}
    assert status(calls, "r1") == "QUEUED"
    reply = take(worker)
    assert list(reply.granted) == [worker.n]
    assert reply.granted[worker.n] == token(calls, "r1")
    assert status(calls, "r1") == "STARTING"
    assert calls.usage("runs") == calls.usage("tag:job") == calls.usage("tag:job=etl") == 1
    assert start(worker, "r1") == {"answer": "started"}
    assert status(calls, "r1") == "STARTED"
    assert finish(worker, "r1") == {"answer": "finished", "status": "SUCCESS"}
    assert status(calls, "r1") == "SUCCESS"
    assert calls.usage("runs") == 0
    left = {
        key
        for key in stored(calls)
        if key.startswith(("group", "waiters", "line", "jobs:", "places", "queued", "takes"))
    }
    assert not left


def test_a_run_that_is_submitted_is_pushed_to_the_take_that_waits(
    calls: Calls, alice: Session, worker: Session
) -> None:
    listener = calls.listen("worker")
    assert take(worker).answer == {"answer": "waits"}
    submit(alice, "r1", args="\x93\x01")
    message = listener.get_message(timeout=5)
    assert message is not None
    assert b"r1" in message["data"]
    assert status(calls, "r1") == "STARTING"


def test_a_take_whose_worker_does_not_listen_stands_aside_and_the_run_waits(
    calls: Calls, alice: Session, worker: Session
) -> None:
    take(worker)
    submit(alice, "r1")
    assert status(calls, "r1") == "QUEUED"
    assert list(worker.ask().granted) == [worker.n], "it is back when its session calls again"


def test_a_run_waits_for_a_worker_that_has_its_job(calls: Calls, alice: Session, worker: Session) -> None:
    take(worker)
    calls.listen("worker")
    submit(alice, "other", "report")
    assert status(calls, "other") == "QUEUED"
    bob = calls.session("bob")
    enroll(bob, "report", code="c2")
    assert list(take(bob, code="c2").granted) == [bob.n]


def test_an_unenrolled_session_takes_nothing(calls: Calls, alice: Session) -> None:
    assert take(alice).answer == {"answer": "unenrolled"}


def test_no_more_runs_than_slots_and_a_finish_hands_its_slot_on(calls: Calls, alice: Session, worker: Session) -> None:
    alice.change({"limit": "runs", "kind": "set", "capacity": 1})
    submit(alice, "r1")
    submit(alice, "r2")
    assert len(take(worker).granted) == 1
    assert not take(worker).granted
    reply = worker.send(Finish("r1", token(calls, "r1"), "SUCCESS"))
    assert len(reply.granted) == 1, "to the seat that waited, in the same call"
    assert (status(calls, "r1"), status(calls, "r2")) == ("SUCCESS", "STARTING")


def test_finish_and_the_next_take_are_one_call(calls: Calls, alice: Session, worker: Session) -> None:
    alice.change({"limit": "tag:job=etl", "kind": "set", "capacity": 1})
    submit(alice, "r1")
    submit(alice, "r2")
    take(worker)
    reply = worker.send(Finish("r1", token(calls, "r1"), "SUCCESS"), Take("default", "c1", "h"))
    assert list(reply.granted) == [worker.n]


def test_the_higher_priority_goes_first_also_when_it_is_changed_live(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "low")
    submit(alice, "mid", priority=1)
    submit(alice, "late")
    assert alice.send(SetPriority("late", 9)).answer == {"answer": "changed", "before": 0}
    got = [take(worker) and next(r for r in ("low", "mid", "late") if status(calls, r) == "STARTING")]
    finish(worker, got[0])
    take(worker)
    got.append(next(r for r in ("low", "mid") if status(calls, r) == "STARTING"))
    assert got == ["late", "mid"]


def test_queues_are_worked_on_in_the_order_of_the_worker(calls: Calls, alice: Session) -> None:
    worker = calls.session("w")
    enroll(worker, "etl", queues="b,a")
    submit(alice, "r1", queue="a")
    submit(alice, "r2", queue="b")
    take(worker, queues="b,a")
    assert (status(calls, "r1"), status(calls, "r2")) == ("QUEUED", "STARTING")


def test_a_dead_queue_keeps_nobody_waiting(calls: Calls, alice: Session, worker: Session) -> None:
    alice.change({"limit": "runs", "kind": "set", "capacity": 1})
    submit(alice, "nobody", queue="gpu")
    submit(alice, "r1")
    take(worker)
    assert (status(calls, "nobody"), status(calls, "r1")) == ("QUEUED", "STARTING")


def test_a_lost_workers_run_goes_back_in_its_old_order_until_its_attempts_are_used_up(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "r1", max_attempts=2)
    submit(alice, "r2")
    order = calls.hash("run:r1")["order"]
    take(worker)
    start(worker, "r1")
    worker.end()
    alice.ask()
    assert status(calls, "r1") == "QUEUED"
    assert calls.hash("run:r1")["order"] == order
    other = calls.session("other")
    enroll(other, "etl")
    take(other)
    start(other, "r1")
    assert calls.hash("run:r1")["attempt"] == "2"
    other.end()
    alice.ask()
    assert status(calls, "r1") == "FAILURE"
    assert "attempt 2 of 2" in calls.hash("run:r1")["reason"]
    assert status(calls, "r2") == "QUEUED"
    assert calls.usage("runs") == 0


def test_a_grant_that_was_never_taken_up_costs_no_attempt(calls: Calls, alice: Session, worker: Session) -> None:
    submit(alice, "r1", max_attempts=1)
    take(worker)
    worker.end()
    alice.ask()
    assert status(calls, "r1") == "QUEUED"


def test_a_late_start_or_finish_of_an_earlier_attempt_is_refused(calls: Calls, alice: Session, worker: Session) -> None:
    submit(alice, "r1")
    take(worker)
    old = token(calls, "r1")
    worker.end()
    alice.ask()
    other = calls.session("other")
    enroll(other, "etl")
    take(other)
    assert alice.send(Start("r1", old)).answer["answer"] == "stale"
    assert alice.send(Finish("r1", old, "SUCCESS")).answer["answer"] == "stale"
    assert status(calls, "r1") == "STARTING"


def test_a_queued_run_is_canceled_at_once_and_leaves_nothing(calls: Calls, alice: Session) -> None:
    submit(alice, "r1")
    assert alice.send(CancelRun("r1", "me")).answer == {"answer": "canceled"}
    assert status(calls, "r1") == "CANCELED"
    assert not {key for key in stored(calls) if key.startswith(("group", "line", "jobs:", "places", "queued"))}


def test_a_run_in_progress_is_told_to_stop_and_is_canceled_when_its_worker_says_so(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "r1")
    take(worker)
    start(worker, "r1")
    listener = calls.listen("worker")
    assert alice.send(CancelRun("r1", "me")).answer["answer"] == "canceling"
    message = listener.get_message(timeout=5)
    assert message is not None
    assert b"canceling" in message["data"]
    assert calls.usage("runs") == 1, "it holds its slots until it ended"
    assert finish(worker, "r1", "CANCELED")["status"] == "CANCELED"
    assert calls.usage("runs") == 0


def test_a_finished_run_can_be_retried_as_often_as_at_first(calls: Calls, alice: Session, worker: Session) -> None:
    submit(alice, "r1", max_attempts=1)
    take(worker)
    start(worker, "r1")
    finish(worker, "r1", "FAILURE", reason="no")
    assert alice.send(RetryRun("r1", "me")).answer == {"answer": "queued", "run": "r1"}
    assert status(calls, "r1") == "QUEUED"
    assert calls.hash("run:r1")["max_attempts"] == "2"
    take(worker)
    assert status(calls, "r1") == "STARTING"


def test_a_run_is_skipped_while_another_of_its_job_is_queued_or_in_progress(
    calls: Calls, alice: Session, worker: Session
) -> None:
    clash = {"conflict": "skip", "conflict_limit": "tag:job=etl"}
    submit(alice, "r1")
    assert submit(alice, "r2", **clash) == {"answer": "skipped", "run": "r1"}
    take(worker)
    assert submit(alice, "r3", **clash) == {"answer": "skipped", "run": "r1"}
    start(worker, "r1")
    finish(worker, "r1")
    assert submit(alice, "r4", **clash)["answer"] == "queued"


def test_a_replacement_cancels_what_is_there_and_starts_when_that_has_ended(
    calls: Calls, alice: Session, worker: Session
) -> None:
    submit(alice, "r1")
    take(worker)
    submit(alice, "r2")
    answer = submit(alice, "r3", conflict="replace", conflict_limit="tag:job=etl")
    assert answer == {"answer": "queued", "run": "r3", "replaces": ["r1"]}
    assert [status(calls, run) for run in ("r1", "r2", "r3")] == ["CANCELING", "CANCELED", "QUEUED"]
    assert not take(worker).granted, "it waits for the one that it replaces"
    reply = worker.send(Finish("r1", token(calls, "r1"), "CANCELED"))
    assert len(reply.granted) == 1
    assert status(calls, "r3") == "STARTING"


def test_the_same_submit_again_queues_one_run(calls: Calls, alice: Session) -> None:
    submit(alice, "r1")
    before = calls.dump()
    assert submit(alice, "r1") == {"answer": "queued", "run": "r1"}
    assert calls.dump() == before


def test_finished_runs_beyond_those_that_are_kept_go(calls: Calls, alice: Session, worker: Session) -> None:
    for n in range(4):
        submit(alice, f"r{n}")
        take(worker)
        finish(worker, f"r{n}", keep=2)
    kept = sorted(key for key in stored(calls) if key.startswith("run:"))
    assert kept == ["run:r2", "run:r3"]


def test_a_tag_limit_that_is_added_while_runs_wait_holds_for_them(
    calls: Calls, alice: Session, worker: Session
) -> None:
    alice.change({"limit": "runs", "kind": "set", "capacity": 0})
    submit(alice, "r1", tags=["team=growth"])
    submit(alice, "r2", tags=["team=growth"])
    alice.change({"limit": "tag:team=*", "kind": "set", "capacity": 1})
    alice.change({"limit": "runs", "kind": "delete"})
    assert len(take(worker).granted) == 1
    assert not take(worker).granted


def test_a_run_blocked_by_a_tag_burns_no_slot_of_another(calls: Calls, alice: Session, worker: Session) -> None:
    alice.change({"limit": "tag:a=1", "kind": "set", "capacity": 0}, {"limit": "tag:b", "kind": "set", "capacity": 1})
    submit(alice, "blocked", tags=["a=1", "b=x"])
    submit(alice, "free", tags=["b=y"])
    take(worker)
    assert (status(calls, "blocked"), status(calls, "free")) == ("QUEUED", "STARTING")


def test_the_last_worker_of_a_queue_takes_its_list_of_jobs_along(calls: Calls, alice: Session, worker: Session) -> None:
    worker.end()
    alice.ask()
    assert not {key for key in stored(calls) if key.startswith(("workers", "codes", "code:", "takes"))}


def test_a_worker_that_knows_more_jobs_is_given_what_waited_for_them(
    calls: Calls, alice: Session, worker: Session
) -> None:
    take(worker)
    submit(alice, "r1", "report")
    reply = worker.send(Enroll("default", "c1", "concurrency=1", [{"name": "report"}]))
    assert list(reply.granted) == [worker.n - 1]
