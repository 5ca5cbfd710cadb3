"""Duties: the jobs of worker processes under faults. Each op writes down that it works, for which run and until when.

What an op believes is its run's limits: in process it asks whether the run's lease is lost, in a child process it
lives and so believes. Child processes import this module by its name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import semaphores
from semaphores.lease import chain
from tests.faults.history import Diary
from workers import Definitions, context, job, multiprocess, op

STEP = 0.005  # seconds between two looks


@cache
def diary(folder: str, pid: int) -> Diary:
    return Diary(Path(folder))


def limits_of() -> list[str]:
    """The limits of the run that this is an op of."""
    run = context()
    tags = {"job": run.job, **run.tags}
    return ["runs", *(f"tag:{key}" for key in tags), *(f"tag:{key}={value}" for key, value in tags.items())]


def note(folder: str, what: str) -> None:
    """Append a line about this attempt: `WHAT RUN ATTEMPT PID TIME`."""
    run = context()
    line = f"{what} {run.run} {run.run_attempt} {os.getpid()} {time.monotonic()!r}\n"
    file = os.open(Path(folder) / "ops", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)


def steps(folder: str, hold: float, lost: Callable[[], object], *more: str) -> Iterator[None]:
    """Believe in small steps until `hold` is over, or the lease is lost."""
    book = diary(folder, os.getpid())
    token = int(chain.get()[0].shown.token) if chain.get() else 0
    entries = [book.granted(limit, 1, token, time.monotonic()) for limit in (*limits_of(), *more)]
    note(folder, "begin")
    until = time.monotonic() + hold
    while True:
        moment = time.monotonic()  # read before the question: what counts is what was true then
        if lost():
            raise RuntimeError("the lease of its run is lost")
        for entry in entries:
            book.believes(entry, moment)
        if moment >= until:
            return note(folder, "end")
        yield


@op
async def work(folder: str, hold: float = 0.02) -> str:
    """In the worker's loop."""
    for _ in steps(folder, hold, chain.get()[0].lost_error):
        await asyncio.sleep(STEP)
    return context().run


@op
def toil(folder: str, hold: float = 0.02) -> str:
    """In a child process."""
    for _ in steps(folder, hold, lambda: None):
        time.sleep(STEP)
    return context().run


@op
def deaf(folder: str, hold: float = 0.02) -> None:
    """In a child process that ignores SIGTERM, and leaves another that does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
    toil.function(folder=folder, hold=hold)


@op(pool="database")
async def query(folder: str, hold: float = 0.02) -> None:
    """In the worker's loop, with a slot of a pool."""
    lease = chain.get()[-1]
    for _ in steps(folder, hold, lambda: chain.get()[0].lost_error() or lease.lost_error(), "pool:database"):
        await asyncio.sleep(STEP)


@op(pool="database")
async def inside(folder: str, hold: float = 0.02) -> None:
    """In the worker's loop, with a slot of a pool, which its own code asks for again."""
    async with semaphores.pool("database", connections=chain.get()[0].connections, timeout=10):
        for _ in steps(folder, hold, chain.get()[-1].lost_error):
            await asyncio.sleep(STEP)


@op(pool="database")
def inside_child(folder: str, hold: float = 0.02) -> None:
    """In a child process, with a slot of a pool, which its own code asks for again."""
    with semaphores.pool("database", timeout=10):
        toil.function(folder=folder, hold=hold)


@job(ops=[work])
def short() -> None: ...


@job(ops=[toil], executor=multiprocess(max_concurrent=1))
def heavy() -> None: ...


@job(ops=[deaf], executor=multiprocess(max_concurrent=1))
def stubborn() -> None: ...


@job(ops=[query])
def database() -> None: ...


@job(ops=[inside])
def nested() -> None: ...


@job(ops=[inside_child], executor=multiprocess(max_concurrent=1))
def nested_in_child() -> None: ...


definitions = Definitions(jobs=[short, heavy, stubborn, database, nested, nested_in_child], location="fleet")
