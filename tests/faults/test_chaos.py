"""Chaos: workers killed and frozen, the server killed once, runs cancelled and moved, limits changed, all at once.

The server's append-only file is synced at every write, so nothing that it acknowledged may be lost; with `everysec` it
would be the last second. What is judged: how every run ended, how often it was begun, and what the ops believed.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from semaphores import Client
from semaphores.errors import Refused
from semaphores.runs import RunView
from tests.faults.belief import over_admitted
from tests.faults.crew import Crew, crew_of, noted, ready, spec_of
from tests.faults.history import read_beliefs
from tests.faults.traffic import client_of, wait_until
from tests.servers import Server, start_server

T = 2.0
WORKERS, SEATS = 5, 3
STEADY = {"runs": 8, "tag:one": 1, "tag:team": 3, "pool:database": 2}  # never changed: held at every instant
CHANGED, MOST = "tag:job=heavy", 3  # goes up and down, never above this
PRIORITY = (-5, 0, 5)


@dataclass
class Town:
    """Who is there, and what was done to them."""

    server: Server
    client: Client
    crew: Crew
    folder: Path
    chosen: random.Random
    canceled: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    def submit(self, number: int) -> str:
        """One of several jobs, with tags that a limit counts or none."""
        chosen = self.chosen
        tags = {key: value for key, value in (("one", "x"), ("team", "growth")) if chosen.random() < 0.3}
        job = chosen.choices(("short", "database", "heavy"), (6, 3, 1))[0]
        spec = spec_of(job, self.folder, chosen.uniform(0.0, 0.06), tags=tags, priority=chosen.choice(PRIORITY))
        return self.client.runs.submit(spec, run=f"r{number}").run

    def disturb(self) -> None:
        """Do one thing to somebody."""
        what = self.chosen.choice((self.kill, self.freeze, self.cancel, self.move, self.change))
        self.done[what.__name__] += 1
        what()

    def kill(self) -> None:
        victim = self.chosen.choice(self.crew.workers)
        self.crew.workers.remove(victim)
        victim.kill()
        self.crew.start()

    def freeze(self) -> None:
        victim = self.chosen.choice(self.crew.workers)
        victim.freeze()
        time.sleep(self.chosen.choice((0.2 * T, 0.2 * T, 1.3 * T)))
        victim.thaw()

    def cancel(self) -> None:
        for status in ("QUEUED", "STARTED"):
            runs = self.client.runs.list(status, most=20)
            if runs:
                run = self.chosen.choice(runs).id
                with suppress(Refused):  # it is over by now
                    self.client.runs.cancel(run)
                    self.canceled.add(run)

    def move(self) -> None:
        for run in self.client.runs.list("QUEUED", most=5):
            with suppress(Refused):  # it is not queued any more
                self.client.runs.set_priority(run.id, self.chosen.randint(-9, 9))

    def change(self) -> None:
        self.client.limits.set(CHANGED, self.chosen.randint(1, MOST))

    def crash(self) -> None:
        self.server.kill()
        self.server.start()
        self.done["crash"] += 1

    def left(self) -> int:
        counts = self.client.runs.counts()
        return sum(counts[status] for status in ("QUEUED", "STARTING", "STARTED", "CANCELING"))


@contextmanager
def town(folder: Path, seed: int) -> Iterator[Town]:
    with start_server(appendonly=True, extra=("--appendfsync", "always")) as server:
        with client_of(server.url, "n", T, database=STEADY["pool:database"]) as client:
            for limit in ("runs", "tag:one", "tag:team"):
                client.limits.set(limit, STEADY[limit])
            client.limits.set(CHANGED, MOST)
            with crew_of(server.url, "n", T, WORKERS, SEATS) as crew:
                wait_until("all are there", lambda: ready(client, WORKERS), 40)
                yield Town(server, client, crew, folder, random.Random(seed))


def disturbed(it: Town, runs: int, pause: float) -> list[str]:
    """Submit runs all the while that things happen, and return when all are over."""
    submitted: list[str] = []
    crash_at = runs // 2
    while len(submitted) < runs:
        for _ in range(min(20, runs - len(submitted))):
            submitted.append(it.submit(len(submitted)))
        it.disturb()
        if crash_at <= len(submitted):
            it.crash()
            crash_at = runs + 1
        wait_until("some are over", lambda: it.left() < 60, 60)
        time.sleep(it.chosen.uniform(0, pause))
    wait_until("all are over", lambda: it.left() == 0, 60)
    return submitted


def judge(it: Town, submitted: list[str]) -> Counter[str]:
    """Every run ended once, as it may; nobody believed too much; and nothing is left of it all."""
    records = {record.id: record for record in it.client.runs.list(most=len(submitted))}
    lost = set(submitted) - set(records)
    assert not lost, f"{len(lost)} runs are lost: {sorted(lost)[:5]}"
    begun: dict[str, list[int]] = {}
    for one in noted(it.folder):
        if one.what == "begin":
            begun.setdefault(one.run, []).append(one.attempt)
    wrong = [line for run in submitted if (line := wrongly_ended(records[run], begun.get(run, []), it.canceled))]
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"
    limits = {**STEADY, CHANGED: MOST}
    over = over_admitted([one for one in read_beliefs(it.folder) if one.limit in limits], limits)
    assert not over, f"{len(over)} times more believers than slots: {over[:3]}"
    time.sleep(T / 2)
    assert not it.client.leases(), "slots without a run"
    sick = [one for one in it.client.examine() if one.what not in ("server", "library")]
    assert not sick, f"doctor: {sick[:5]}"
    return Counter(record.status for record in records.values())


def wrongly_ended(run: RunView, begun: list[int], canceled: set[str]) -> str | None:
    """Say what is wrong with the end of a run."""
    if not run.finished:
        return f"{run.id} is {run.status}"
    if run.status == "CANCELED" and run.id not in canceled:
        return f"{run.id} was canceled by nobody"
    if run.status == "FAILURE" and "its worker was gone, attempt 3 of 3" not in (run.reason or ""):
        return f"{run.id} failed: {run.reason}"
    if run.status == "SUCCESS" and not begun:
        return f"{run.id} succeeded and was never begun"
    if any(attempt > run.attempt + 1 for attempt in begun):
        return f"{run.id} was begun as attempt {begun}, its record says {run.attempt}"
    # an op may have begun under a grant whose start was never told, as its worker died just then: at most once each
    if len(begun) > len(set(begun)) + 1:
        return f"{run.id} was begun {begun}, its record says attempt {run.attempt}"
    return None


def test_runs_end_once_whatever_happens_to_workers_and_server(tmp_path: Path) -> None:
    with town(tmp_path, 1) as it:
        ended = judge(it, disturbed(it, 200, 0.1))
    assert ended["SUCCESS"] > 150, ended


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 5))
def test_two_thousand_runs_end_once_whatever_happens(tmp_path: Path, seed: int) -> None:
    with town(tmp_path, seed) as it:
        ended = judge(it, disturbed(it, 2000, 0.5))
        assert it.done["kill"] >= 5, it.done
        assert it.done["freeze"] >= 5, it.done
    assert ended["SUCCESS"] > 1800, ended
    print(f"{dict(ended)} after {dict(it.done)}")


def test_the_verdict_sees_what_is_wrong() -> None:
    def run(status: str, attempt: int = 1, reason: str | None = None) -> RunView:
        more = dict.fromkeys(("submitted", "granted", "started", "ended", "worker", "lease", "token", "by"))
        return RunView("r", "short", status, "default", "fleet", {}, 0, attempt, 3, reason=reason, needs="", pools="",
                       **more)  # type: ignore[arg-type]  # fmt: skip

    assert wrongly_ended(run("SUCCESS"), [1], set()) is None
    assert wrongly_ended(run("SUCCESS", 2), [1, 2], set()) is None
    for bad, begun in (
        (run("STARTED"), [1]),
        (run("CANCELED"), [1]),
        (run("FAILURE", reason="bug"), [1]),
        (run("SUCCESS"), []),
        (run("SUCCESS"), [1, 1, 1]),
        (run("SUCCESS"), [1, 2, 3]),
    ):
        assert wrongly_ended(bad, begun, set()), (bad.status, begun)
