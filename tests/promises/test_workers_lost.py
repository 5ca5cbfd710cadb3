"""Workers that are killed, frozen or cut off: what they had goes on elsewhere, in time, and they hold nothing more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from semaphores import Client
from tests.faults.belief import over_admitted
from tests.faults.crew import Crew, crew_of, noted, ready, spec_of
from tests.faults.history import read_beliefs
from tests.faults.proxy import Proxy
from tests.faults.traffic import Worker, client_of, wait_until
from tests.servers import Server, start_server

T = 2.0


@dataclass
class Site:
    """A server, its namespace, whose runs are one at a time, and a worker that has a long run."""

    server: Server
    client: Client
    crew: Crew
    folder: Path
    granted: dict[str, datetime | None] = field(default_factory=dict)  # by run, as it was when it last began

    @property
    def first(self) -> Worker:
        return self.crew.workers[0]

    def submit(self, run: str, hold: float = 60.0, job: str = "short", **more: object) -> None:
        self.client.runs.submit(spec_of(job, self.folder, hold, tags={"one": "x"}, **more), run=run)

    def begun(self, run: str, attempt: int = 1) -> float:
        """Wait until an op of the run works, and return since when."""
        found = lambda: [one for one in noted(self.folder, run) if (one.what, one.attempt) == ("begin", attempt)]  # noqa: E731
        wait_until(f"{run} works, attempt {attempt}", found, 20)
        wait_until("the server knows", lambda: self.status(run) == ("STARTED", attempt))
        self.granted[run] = self.client.runs.get(run).run.granted
        return found()[0].at

    def granted_again(self, run: str, patience: float) -> float:
        """Wait until a run is granted for the second time; returns for how long it was not."""
        before = self.granted[run]
        again = lambda: (found := self.client.runs.get(run).run).granted != before and found.in_progress  # noqa: E731
        return wait_until(f"{run} is granted again", again, patience)

    def victim(self, run: str) -> Worker:
        """The worker that has a run."""
        pid = (self.client.runs.get(run).run.worker or "").split(":")[1]
        return next(worker for worker in self.crew.workers if worker.pid == int(pid))

    def status(self, run: str) -> tuple[str, int]:
        found = self.client.runs.get(run).run
        return found.status, found.attempt

    def verdict(self) -> None:
        """No more believed than the limit had, at no instant."""
        found = over_admitted([one for one in read_beliefs(self.folder) if one.limit == "tag:one"], {"tag:one": 1})
        assert not found, found[:3]


@contextmanager
def site(tmp_path: Path, url: str | None = None, **more: object) -> Iterator[Site]:
    with start_server(**more) as server, client_of(server.url, "n", T, db=1) as client:  # type: ignore[arg-type]
        client.limits.set("tag:one", 1)
        with crew_of(server.url, "n", T) as crew:
            wait_until("a worker is there", lambda: ready(client, 1), 20)
            yield Site(server, client, crew, tmp_path)


def test_a_killed_worker_loses_its_run_to_another_of_its_host_within_a_beat(tmp_path: Path) -> None:
    with site(tmp_path) as it:
        it.crew.start()
        it.submit("r", 60)
        it.begun("r")
        wait_until("both are there", lambda: ready(it.client, 2), 20)
        it.victim("r").kill()
        took = it.granted_again("r", 20)
        assert took <= T / 6 + 0.5, f"{took:.2f} s"
        it.begun("r", 2)
        it.verdict()


def test_a_killed_workers_child_processes_are_dead_before_their_run_begins_elsewhere(tmp_path: Path) -> None:
    """They outlive it by a moment, which others of its host must not take for its end."""
    with site(tmp_path) as it:
        it.crew.start()
        wait_until("both are there", lambda: ready(it.client, 2), 20)
        for run in ("a", "b"):  # each has a child process that is warm now, and the next run begins at once
            it.client.runs.submit(spec_of("heavy", tmp_path, 1.0), run=run)
        wait_until("both are warm", lambda: it.client.runs.counts()["SUCCESS"] == 2, 20)
        it.submit("r", 60, "stubborn")
        it.begun("r")
        it.victim("r").kill()
        took = it.granted_again("r", 20)
        assert took <= T + 1.0, f"{took:.2f} s"
        it.begun("r", 2)
        time.sleep(0.5)
        it.verdict()


@pytest.mark.parametrize("job", ["short", "stubborn"])
def test_a_frozen_worker_loses_its_run_within_ttl_and_a_second_and_holds_nothing_when_it_comes_back(
    tmp_path: Path, job: str
) -> None:
    """Its op is cancelled, its late finish refused, and what it started is dead before the slot is anybody's."""
    with site(tmp_path) as it:
        it.submit("r", 60, job)
        it.begun("r")
        it.crew.start()
        wait_until("both are there", lambda: ready(it.client, 2), 20)
        time.sleep(0.2)
        it.first.freeze()
        took = it.granted_again("r", 20)
        assert took <= T + 1.0, f"{took:.2f} s"
        it.begun("r", 2)
        it.first.thaw()
        time.sleep(0.7)
        assert it.status("r") == ("STARTED", 2), "the stale one changes nothing"
        it.client.runs.cancel("r")
        wait_until("it is over", lambda: it.status("r") == ("CANCELED", 2), 20)
        assert not [one for one in noted(tmp_path, "r") if one.what == "end"]
        it.verdict()
        it.submit("next", 0.0)
        it.submit("last", 0.0)
        wait_until("it works again", lambda: it.status("last")[0] == "SUCCESS", 10)


def test_a_worker_that_was_cut_off_stops_before_its_run_begins_elsewhere(tmp_path: Path) -> None:
    with start_server() as server, Proxy(server.port) as proxy, client_of(server.url, "n", T, db=1) as client:
        client.limits.set("tag:one", 1)
        with crew_of(proxy.url, "n", T) as crew:
            it = Site(server, client, crew, tmp_path)
            it.submit("r", 60)
            it.begun("r")
            crew.start(server.url)
            wait_until("both are there", lambda: ready(client, 2), 20)
            proxy.hole()
            took = it.granted_again("r", 20)
            assert took <= T + 1.0, f"{took:.2f} s"
            it.begun("r", 2)
            proxy.hole(False)
            proxy.cut()
            time.sleep(0.5)
            assert it.status("r") == ("STARTED", 2), "the stale one changes nothing"
            it.verdict()


def test_a_run_fails_when_it_was_started_max_attempts_times(tmp_path: Path) -> None:
    with site(tmp_path) as it:
        it.submit("r", 60, max_runtime=None)
        for attempt in (1, 2, 3):
            it.begun("r", attempt)
            it.crew.workers[-1].kill()
            it.crew.start()
        wait_until("it failed", lambda: it.status("r")[0] == "FAILURE", 20)
        run = it.client.runs.get("r").run
        assert run.reason == "its worker was gone, attempt 3 of 3"
        it.submit("next", 0.0)
        wait_until("its slot is free", lambda: it.status("next")[0] == "SUCCESS", 10)
