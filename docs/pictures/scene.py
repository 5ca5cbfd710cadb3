"""Scene: a namespace at work, for pictures and for looking: limits, holders, waiters, and a worker with its runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

from semaphores.client import Client
from semaphores.runs import RunSpec
from semaphores.testing import fresh_client, throwaway_server

__all__ = ["scene"]

LIMITS = {
    "runs": (4, "what the workers' hosts carry"),
    "pool:database": (2, "what the primary can take"),
    "pool:api": (5, "their quota, by contract"),
    "pool:reports": (3, None),
    "pool:gpu": (1, None),
    "tag:team=growth": (3, None),
}
HELD = ("database", "database", "api", "api", "api", "gpu")
WAITING = ("database", "database", "database", "gpu")
RUNS = (("nightly", "growth"), ("nightly", "growth"), ("import", "core"), ("nightly", "growth"), ("import", "core"))
PATIENCE = 30.0  # seconds, on a loaded machine


@contextmanager
def scene() -> Iterator[Client]:
    """Give a client of a namespace in which all of this is so."""
    with throwaway_server() as server, fresh_client(server.url) as client, ExitStack() as stack:
        for limit, (capacity, description) in LIMITS.items():
            client.limits.set(limit, capacity, description=description)
        client.limits.set("pool:maintenance", 2)
        client.limits.pause("pool:maintenance")
        for name in HELD:
            stack.enter_context(_held(client, name))
        for name in WAITING:
            stack.enter_context(_beside("exec", "--pool", name, "--", "true"))
        stack.enter_context(_beside("worker", str(Path(__file__).with_name("jobs.py")), "--concurrency", "3"))
        for job, team in RUNS:
            client.runs.submit(RunSpec(job, location="shop", tags={"team": team}))
        _until(client)
        yield client


@contextmanager
def _held(client: Client, pool: str) -> Iterator[None]:
    """Hold a slot in a thread of its own: one thread would only lend it to itself."""
    over = Event()

    def hold() -> None:
        with client.pool(pool):
            over.wait()

    holder = Thread(target=hold, name=f"{pool}-job")
    holder.start()
    try:
        yield
    finally:
        over.set()
        holder.join()


@contextmanager
def _beside(*words: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-m", "semaphores", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.kill()


def _until(client: Client) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(client.requests()) < len(WAITING) or client.runs.counts()["STARTED"] < 3:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the scene is not complete after {PATIENCE:g} s")
        time.sleep(0.1)
