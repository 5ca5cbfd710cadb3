"""Lines: what only misses a free seat is told by queue and job, with how many workers could take it."""

from __future__ import annotations

import pytest

from semaphores.runs.lines import LineView, lines
from tests.lua.fleet import enroll, submit, take
from tests.lua.harness import Calls, Session
from tests.promises.reading import Reading


@pytest.fixture
def alice(calls: Calls) -> Session:
    return calls.session("alice")


def told(line: LineView) -> tuple[str, str, int, int]:
    return line.queue, line.job, line.runs, line.workers


def test_runs_that_only_miss_a_seat_stand_in_their_line_and_those_that_miss_a_slot_do_not(
    calls: Calls, alice: Session, read: Reading
) -> None:
    alice.change({"limit": "tag:team=x", "kind": "set", "capacity": 1})
    worker = calls.session("worker")
    enroll(worker, "etl")
    submit(alice, "r1", tags=["team=x"])
    take(worker)
    submit(alice, "r2", tags=["team=x"])
    submit(alice, "r3")
    submit(alice, "r4", queue="gpu")
    assert [told(line) for line in read(lines())] == [("default", "etl", 1, 1), ("gpu", "etl", 1, 0)]
    waits = read(lines())[0].oldest_wait
    assert waits is not None
    assert 0 <= waits < 60


def test_nothing_waits_for_a_seat(alice: Session, read: Reading) -> None:
    submit(alice, "r1", tags=["team=x"])
    assert len(read(lines())) == 1
    alice.change({"limit": "runs", "kind": "pause"})
    submit(alice, "r2")
    assert sum(line.runs for line in read(lines())) == 1
