"""Traffic: real processes that hold slots for a while, over and over, from threads or tasks, and write down what they
believe. Also how tests make clients and run snippets in processes of their own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio

import semaphores
from semaphores.client import Client
from tests.faults.history import Diary
from tests.faults.planted import plant

__all__ = ["ROOT", "Traffic", "Worker", "another", "client_of", "python", "wait_until", "working"]

ROOT = Path(__file__).parents[2]
STEP = 0.005  # seconds between two looks at a lease


@dataclass(frozen=True)
class Traffic:
    """What one worker process does, until it is told to stop. Spans in seconds."""

    url: str
    namespace: str
    folder: str
    ttl: float = 2.0
    limits: tuple[str, ...] = ("db",)
    slots: int = 1
    holders: int = 3  # threads or tasks
    how: str = "threads"  # threads, asyncio or trio
    hold: tuple[float, float] = (0.0, 0.05)
    pause: float = 0.01
    timeout: float | None = 2.0


@dataclass
class Worker:
    """A worker process as its test sees it."""

    process: subprocess.Popen[bytes]
    frozen: bool = field(default=False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, patience: float = 20.0) -> int:
        """Tell it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.thaw()
            if self.process.stdin is not None:
                self.process.stdin.close()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode


@contextmanager
def working(*traffics: Traffic, bug: str | None = None) -> Iterator[list[Worker]]:
    """Run one process for each traffic while the block runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"TEST_PLANTED_BUG": bug} if bug else {})}
    workers = [
        Worker(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.traffic", json.dumps(asdict(traffic))],
                stdin=subprocess.PIPE,
                env=environment,
                cwd=ROOT,
            )
        )
        for traffic in traffics
    ]
    try:
        yield workers
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.stop()


@contextmanager
def client_of(url: str, namespace: str, ttl: float = 2.0, *, init: bool = True, **limits: int) -> Iterator[Client]:
    """A client whose namespace has these pools, closed at the end."""
    with semaphores.connect(url, namespace=namespace, ttl=ttl, init=init) as client:
        for name, capacity in limits.items():
            client.limits.set(f"pool:{name}", capacity)
        yield client


def another(client: Client) -> Client:
    """Another session of a client's namespace, in this process."""
    connections = client.connections
    return semaphores.connect(str(connections.endpoint), namespace=connections.namespace, ttl=connections.settings.ttl)


@contextmanager
def python(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a snippet in a process of its own, with pipes to talk to it; it is killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        process.wait()


def wait_until(what: str, condition: object, patience: float = 10.0) -> float:
    """Wait until a condition of another process holds, and return for how many seconds it did not. It tells nobody."""
    assert callable(condition)
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < patience, f"{what}: not within {patience:g} s"
        time.sleep(0.005)
    return time.monotonic() - started


class _Holders:
    """The holders of one worker process."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.diary = Diary(Path(traffic.folder))
        self.client = semaphores.connect(traffic.url, namespace=traffic.namespace, ttl=traffic.ttl)
        self.over = threading.Event()

    def run_thread(self) -> None:
        while not self.over.is_set():
            name, hold = self._draw()
            try:
                with self.client.pool(name, slots=self.traffic.slots, timeout=self.traffic.timeout) as lease:
                    entry = self._granted(name, lease)
                    until = time.monotonic() + hold
                    while self._believes(entry, lease) and time.monotonic() < until and not self.over.is_set():
                        time.sleep(STEP)
                    self._believes(entry, lease)
                self.diary.outcome("done")
            except semaphores.SemaphoresError as error:
                self.diary.outcome(type(error).__name__)
            time.sleep(self.traffic.pause)

    async def run_task(self) -> None:
        while not self.over.is_set():
            name, hold = self._draw()
            try:
                async with self.client.pool(name, slots=self.traffic.slots, timeout=self.traffic.timeout) as lease:
                    entry = self._granted(name, lease)
                    until = time.monotonic() + hold
                    while self._believes(entry, lease) and time.monotonic() < until and not self.over.is_set():
                        await anyio.sleep(STEP)
                    self._believes(entry, lease)
                self.diary.outcome("done")
            except semaphores.SemaphoresError as error:
                self.diary.outcome(type(error).__name__)
            await anyio.sleep(self.traffic.pause)

    async def run_tasks(self) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(self.traffic.holders):
                group.start_soon(self.run_task)

    def _draw(self) -> tuple[str, float]:
        return random.choice(self.traffic.limits), random.uniform(*self.traffic.hold)

    def _granted(self, name: str, lease: semaphores.Lease | semaphores.AsyncLease) -> str:
        return self.diary.granted(f"pool:{name}", self.traffic.slots, lease.token, time.monotonic())

    def _believes(self, entry: str, lease: semaphores.Lease | semaphores.AsyncLease) -> bool:
        moment = time.monotonic()  # read before the question: what counts is what was true then
        if lease.lost:
            return False
        self.diary.believes(entry, moment)
        return True


def _main() -> None:
    plant()
    given = json.loads(sys.argv[1])
    traffic = Traffic(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})
    holders = _Holders(traffic)
    stop = threading.Thread(target=lambda: (sys.stdin.read(), holders.over.set()), daemon=True)
    stop.start()
    if traffic.how == "threads":
        threads = [threading.Thread(target=holders.run_thread) for _ in range(traffic.holders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        anyio.run(holders.run_tasks, backend=traffic.how)
    holders.client.close()


if __name__ == "__main__":
    _main()
