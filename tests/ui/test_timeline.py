"""The time line of a run, from its log. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from semaphores.runs import LogEntry, RunView
from semaphores.runs.views import run_view
from semaphores.ui.timeline import time_line

BEGUN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return int(at(seconds).timestamp() * 1000)


def run(status: str = "STARTED", **times: float) -> RunView:
    told = {name: ms(value) for name, value in {"submitted": 0.0, "granted": 2.0, "started": 3.0, **times}.items()}
    return run_view({"id": "r", "job": "etl", "status": status, **told})


def line(seconds: float, op: str | None, kind: str, text: str = "") -> LogEntry:
    return LogEntry(f"{ms(seconds)}-0", at(seconds), op, kind, text)


def test_waiting_and_running_are_stretches_with_the_limit_that_blocked() -> None:
    log = [
        line(3, "load", "WAITING", "waits for pool:db"),
        line(5, "load", "STARTED"),
        line(6, "load", "OUT", "printed"),
        line(10, "load", "SUCCESS"),
    ]
    found = time_line(run("SUCCESS", ended=10), log)
    assert found is not None
    whole, load = found.rows
    assert [(bar.kind, bar.left, bar.width) for bar in whole.bars] == [
        ("queued", 0, 200), ("starting", 200, 100), ("running", 300, 700),
    ]  # fmt: skip
    assert [(bar.kind, bar.left, bar.width) for bar in load.bars] == [("waiting", 300, 200), ("running", 500, 500)]
    assert load.bars[0].text == "waiting for pool:db, 2.0 s"
    assert (load.limits, load.waited, load.ran, load.status) == (["pool:db"], 2.0, 5.0, "SUCCESS")
    assert found.span == 10


def test_what_is_going_on_reaches_to_now() -> None:
    found = time_line(run(), [line(4, "load", "STARTED")], now=at(8))
    assert found is not None
    assert found.rows[1].bars[-1].left + found.rows[1].bars[-1].width == 1000
    assert found.rows[1].ran == 4


def test_a_retried_op_has_a_stretch_for_each_attempt() -> None:
    log = [
        line(3, "a", "STARTED"),
        line(4, "a", "RETRY", "boom"),
        line(6, "a", "STARTED"),
        line(7, "a", "FAILURE", "bad"),
    ]
    found = time_line(run("FAILURE", ended=8), log)
    assert found is not None
    assert [bar.kind for bar in found.rows[1].bars] == ["running", "running"]
    assert (found.rows[1].status, found.rows[1].text) == ("FAILURE", "bad")


def test_an_op_whose_worker_died_did_not_go_on_for_ever() -> None:
    found = time_line(run("FAILURE", ended=8), [line(3, "a", "STARTED")])
    assert found is not None
    assert (found.rows[1].status, found.rows[1].ran) == ("CANCELED", 5.0)


def test_a_run_that_was_retried_has_lines_from_before() -> None:
    found = time_line(run(submitted=5, granted=6, started=7), [line(1, "a", "FAILURE", "x")], now=at(11))
    assert found is not None
    assert found.begun == at(1)
    assert all(bar.left >= 0 and bar.left + bar.width <= 1000 for row in found.rows for bar in row.bars)


def test_nothing_is_drawn_of_a_run_that_has_no_times() -> None:
    assert time_line(run_view({"id": "r", "job": "etl", "status": "QUEUED"}), []) is None
