"""Hands: workers in this process, with a session of their own each, and what tests see of their runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import TypeVar

from semaphores import Client
from semaphores.runs import RunDetails, RunView
from tests.faults.traffic import another
from workers import Job, run_spec
from workers.definitions import Location
from workers.worker import Worker, WorkerSettings

__all__ = ["call", "ended", "status", "submit", "until", "working"]

T = TypeVar("T")


@asynccontextmanager
async def working(
    client: Client,
    *jobs: Job,
    concurrency: int | Callable[[], int] = 1,
    queues: Sequence[str] = ("default",),
    cancel_timeout: float = 1.0,
    url: str | None = None,
) -> AsyncIterator[Worker]:
    """A worker of these jobs while the block runs, ready; at its end it is cancelled. `url`: by which it connects."""
    theirs = another(client) if url is None else _by(url, client)
    location = Location("test", {job.name: job for job in jobs})
    settings = WorkerSettings(queues, concurrency, cancel_timeout=cancel_timeout)
    worker = Worker(location, theirs.connections, settings)
    task = asyncio.create_task(worker.work())
    ready = asyncio.create_task(worker.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield worker
        if task.done() and not task.cancelled():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await call(theirs.close)


def _by(url: str, client: Client) -> Client:
    import semaphores

    connections = client.connections
    return semaphores.connect(url, namespace=connections.namespace, ttl=connections.settings.ttl)


async def call(function: Callable[..., T], *arguments: object, **named: object) -> T:
    """Call something that blocks without blocking the workers."""
    return await asyncio.to_thread(function, *arguments, **named)


async def submit(client: Client, job: Job, run: str, **more: object) -> str:
    """Queue a run under an id."""
    spec = run_spec(job, location="test", **more)  # type: ignore[arg-type]
    return (await call(client.runs.submit, spec, run=run)).run


async def until(what: str, condition: Callable[[], object], patience: float = 10.0) -> float:
    """Wait until something blocking finds that a condition holds; returns for how many seconds it did not."""
    begun = time.monotonic()
    while not await call(condition):
        assert time.monotonic() - begun < patience, f"{what}: not within {patience:g} s"
        await asyncio.sleep(0.005)
    return time.monotonic() - begun


def status(client: Client, run: str) -> str:
    """What a run is at."""
    return client.runs.get(run).run.status


async def ended(client: Client, run: str, patience: float = 10.0) -> RunView:
    """Wait until a run is over, and return it."""
    await until(f"{run} is over", lambda: client.runs.get(run).run.finished, patience)
    found: RunDetails = await call(client.runs.get, run)
    return found.run


def seconds(later: datetime | None, earlier: datetime | None) -> float:
    """Seconds between two moments of a run's record."""
    assert later is not None
    assert earlier is not None
    return (later - earlier).total_seconds()
