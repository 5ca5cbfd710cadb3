"""Queue depth: what a claim costs the server with a million queued runs against a thousand, and what they weigh.

The runs have one tag of a thousand values, each value limited to one run at once, so that each claim has to find a run
whose value is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from benchmarks.fleet import location_of
from benchmarks.measure import Figure, Site, micros
from semaphores import Client
from semaphores.runs import RunSpec
from workers.line import Line
from workers.worker import Worker, WorkerSettings

VALUES = 1_000  # of the tag
SHALLOW = 1_000  # queued runs to compare with
SEATS = 50
_FLAT = "a claim looks at the first of a line; the others wait unseen"

FIGURES = (
    Figure("shallow", "claim + finish with 1,000 queued: server time", "µs", bound="see the runs table"),
    Figure("deep", "claim + finish with 1,000,000 queued: server time", "µs", bound=_FLAT),
    Figure("flat", "the same, against 1,000", "×", "floor: 1.5", _FLAT),
    Figure("memory", "server memory of a queued run", "bytes", bound="its record, its place in line, three indexes"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    shallow, _ = await _claims(site, min(SHALLOW, site.size.queued))
    deep, weight = await _claims(site, site.size.queued)
    return {"shallow": micros(shallow), "deep": micros(deep), "flat": deep / shallow, "memory": weight}


async def _claims(site: Site, queued: int) -> tuple[float, float]:
    """Return the server's time for one claim and finish (seconds), and the bytes of a queued run."""
    claims = min(SHALLOW, queued) // 2
    with site.bare() as plain:
        plain.execute_command("FLUSHDB", "SYNC")  # nothing of what was measured before is freed meanwhile
    with site.client() as client:
        client.limits.set("tag:customer=*", 1)
        before = _memory(client)
        await _submit(client, queued)
        weight = (_memory(client) - before) / queued
        worker = Worker(location_of(), client.connections, WorkerSettings(concurrency=SEATS))
        spent = site.used()
        working = asyncio.create_task(worker.work())
        await worker.until_finished(claims)
        taken, used = worker.finished, site.used() - spent
        worker.drain()
        await working
    return used.scripts / taken, weight


async def _submit(client: Client, count: int) -> None:
    line = Line(client.connections)
    await line.open(5.0)
    specs = [RunSpec("etl", location="bench", tags={"customer": str(n)}).command("x", "bench") for n in range(VALUES)]
    for first in range(0, count, 10_000):  # a bounded number of answers to wait for at once
        numbers = range(first, min(first + 10_000, count))
        await asyncio.gather(*(line.ask(replace(specs[n % VALUES], run=f"run-{n}")) for n in numbers))


def _memory(client: Client) -> int:
    info = client.connections.plain("INFO", "memory")
    lines = bytes(info).decode().splitlines() if isinstance(info, bytes) else []
    return int(next(line.partition(":")[2] for line in lines if line.startswith("used_memory:")))
