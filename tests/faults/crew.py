"""Crew: worker processes with the jobs of `duties`, started, frozen and killed by tests, and what their ops noted.

Run by itself it is one of them: `python -m tests.faults.crew URL NAMESPACE TTL SEATS`. SIGTERM drains it, a second one
gives its runs back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import semaphores
from semaphores import Client
from semaphores.runs import RunSpec
from tests.faults.duties import definitions
from tests.faults.planted import plant
from tests.faults.traffic import ROOT, Worker
from workers import run_spec
from workers.definitions import Location
from workers.worker import Worker as RunWorker
from workers.worker import WorkerSettings

__all__ = ["Crew", "Noted", "crew_of", "noted", "spec_of"]


@dataclass
class Crew:
    """Starts worker processes of one namespace."""

    url: str
    namespace: str
    ttl: float
    seats: int
    bug: str | None
    workers: list[Worker]

    def start(self, url: str | None = None) -> Worker:
        """Start one; it is ready when it is listed, or when it takes a run."""
        arguments = [url or self.url, self.namespace, self.ttl, self.seats]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **self._address(url or self.url),
            **({"TEST_PLANTED_BUG": self.bug} if self.bug else {}),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crew", *map(str, arguments)],
            stdin=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )
        self.workers.append(Worker(process))
        return self.workers[-1]

    def _address(self, url: str) -> dict[str, str]:
        """By which the code of ops in child processes finds the namespace."""
        found = {"URL": url, "NAMESPACE": self.namespace, "TTL": str(self.ttl)}
        return {f"SEMAPHORES_{name}": value for name, value in found.items()}


@contextmanager
def crew_of(
    url: str, namespace: str, ttl: float, count: int = 1, seats: int = 1, bug: str | None = None
) -> Iterator[Crew]:
    """Run worker processes while the block runs; at its end they are killed."""
    crew = Crew(url, namespace, ttl, seats, bug, [])
    try:
        for _ in range(count):
            crew.start()
        yield crew
    finally:
        for worker in crew.workers:
            if worker.process.poll() is None:
                worker.thaw()
            worker.kill()


def spec_of(name: str, folder: Path, hold: float | None = None, **more: object) -> RunSpec:
    """A run of one of the duties."""
    args = {"folder": str(folder)} | ({} if hold is None else {"hold": hold})
    return run_spec(definitions.jobs[name], args, location="fleet", **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Noted:
    """What an op noted."""

    what: str  # begin or end
    run: str
    attempt: int
    pid: int
    at: float  # on CLOCK_MONOTONIC


def noted(folder: Path, run: str | None = None) -> list[Noted]:
    """What ops noted so far, in the order of time."""
    file = folder / "ops"
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    found = [Noted(what, of, int(attempt), int(pid), float(at)) for what, of, attempt, pid, at in lines]
    return [one for one in found if run is None or one.run == run]


def ready(client: Client, count: int) -> bool:
    """Whether so many workers are listed."""
    return len(client.runs.workers()) >= count


async def _main(url: str, namespace: str, ttl: float, seats: int) -> None:
    client = semaphores.connect(url, namespace=namespace, ttl=ttl)
    settings = WorkerSettings(concurrency=seats, cancel_timeout=1.0)
    worker = RunWorker(Location("fleet", definitions.jobs), client.connections, settings)
    working, loop, terms = asyncio.create_task(worker.work()), asyncio.get_running_loop(), 0

    def on_term() -> None:
        nonlocal terms
        terms += 1
        if terms == 1:
            worker.drain()
        else:
            working.cancel()

    loop.add_signal_handler(signal.SIGTERM, on_term)
    with suppress(asyncio.CancelledError):
        await working
    await asyncio.to_thread(client.close)


if __name__ == "__main__":
    plant()
    asyncio.run(_main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
