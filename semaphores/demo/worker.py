"""Worker: one process of the demo: takes files from its standard input, parses them, writes their symbols.

This is the part that a program of yours would have; without limits it does the same without asking. One JSON line is a
task, one a report; the end of the input is the end of the worker, so none outlives who started it.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from semaphores.client import Client, connect
from semaphores.demo.library import symbols_of
from semaphores.demo.measure import Diary
from semaphores.demo.store import DatabaseLocked, Store
from semaphores.errors import LeaseLost, SemaphoresError
from semaphores.lease import Lease

__all__ = ["FREE", "LIMITED", "PARSE", "SQLITE", "database", "main"]

SQLITE, PARSE = "sqlite", "parse"  # the pools
FREE, LIMITED = "free", "limited"  # the phases: without limits, and with


def database(folder: Path, phase: str) -> Path:
    """Return where the index of a phase is."""
    return folder / f"{phase}.sqlite"


def report(**facts: object) -> None:
    """Tell who started this process."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class Bench:
    """What a worker needs in one phase."""

    def __init__(self, folder: Path, phase: str, number: int, client: Client | None) -> None:
        self._client = client
        self._diary = Diary(folder, phase, number)
        self._store = Store(database(folder, phase))

    @contextmanager
    def _slot(self, pool: str) -> Iterator[Lease | None]:
        called = time.monotonic_ns()
        left: int | None = None
        try:
            if self._client is None:
                self._diary.granted(pool, called)
                yield None
                left = time.monotonic_ns()
            else:
                with self._client.pool(pool) as lease:
                    self._diary.granted(pool, called)
                    try:
                        yield lease
                    finally:
                        left = time.monotonic_ns()
        finally:
            self._diary.released(pool, left or time.monotonic_ns())

    def index(self, path: Path, doomed: bool) -> int:
        """Index one file and return how many symbols it has. Raises DatabaseLocked, LeaseLost."""
        with self._slot(PARSE):
            symbols = symbols_of(path)
        with self._slot(SQLITE) as lease:

            def before_commit() -> None:
                if doomed:  # in the middle of a transaction: wait for the SIGKILL
                    report(holding=str(path))
                    sys.stdin.readline()
                    sys.exit("nobody came to kill it")
                if lease is not None:
                    lease.guard()

            self._store.write(path, symbols, before_commit)
        return len(symbols)


def _work(bench: Bench, path: Path, doomed: bool) -> None:
    try:
        report(done=str(path), symbols=bench.index(path, doomed))
    except DatabaseLocked:
        report(locked=str(path))
    except LeaseLost as error:
        report(lost=str(path), text=str(error))


def _terminated(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Work until the input ends."""
    signal.signal(signal.SIGTERM, _terminated)
    settings = json.loads(sys.stdin.readline())
    folder, number = Path(settings["folder"]), int(settings["number"])
    try:
        with connect(settings["url"], namespace=settings["namespace"], ttl=settings["ttl"]) as client:
            benches = {phase: Bench(folder, phase, number, used) for phase, used in ((FREE, None), (LIMITED, client))}
            report(ready=number)
            for line in sys.stdin:
                task = json.loads(line)
                _work(benches[task["phase"]], Path(task["file"]), task["doomed"])
    except BrokenPipeError:
        sys.exit(1)  # who started us is gone, and nobody reads this
    except (SemaphoresError, sqlite3.Error, OSError) as error:
        report(failed=str(error))
        sys.exit(1)
