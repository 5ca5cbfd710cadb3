"""Runs: how fast a worker takes and finishes empty runs, how soon a submitted one starts, and a freed slot is used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise

from benchmarks.fleet import WorkerProcess, location_of
from benchmarks.measure import BARE, Figure, Site, between, micros, p50
from semaphores import Client
from semaphores.runs import RunSpec
from workers.line import Line
from workers.worker import Worker, WorkerSettings

SEATS = 50
_SERVER = "the server's time for a run: its record, its indexes, its slots of five limits, two lines of its log"

FIGURES = (
    Figure("ping", "PING through redis.asyncio", "µs", bound="what the ratios are against"),
    Figure("start", "submit to the start of the op, on an idle worker, p50", "× PING", "floor: 10",
           "a round trip that queues and grants, a message to the other process, and its thread and loop waking up"),
    Figure("bare", "50 tasks, one bare EVALSHA each through redis.asyncio", "calls/s", bound="the client's processor"),
    Figure("rate", "claim + finish of empty runs in one worker", "runs/s", bound=_SERVER),
    Figure("ratio", "the same, against bare", "×", "floor: 0.25", _SERVER),
    Figure("server", "the server's time for one of them", "µs", bound=_SERVER),
    Figure("freed", "a freed tag slot to the start of the next run, p50", "× PING", "floor: 10",
           "one round trip: the finish grants the next run in its own reply"),
)  # fmt: skip


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    pings: list[float] = []

    async def ping() -> float:
        pings.append(await _ping(site))
        return pings[-1]

    start, trip = await between(ping, lambda: _submit_to_start(site))
    freed, again = await between(ping, lambda: _freed(site))
    rate, bare = await between(lambda: _bare(site), lambda: _rate(site))
    return {
        "ping": micros(p50(pings)),
        "start": start / trip,
        "bare": bare,
        "rate": rate[0],
        "ratio": rate[0] / bare,
        "server": micros(rate[1]),
        "freed": freed / again,
    }


async def _ping(site: Site) -> float:
    async with site.bare_async() as client:
        times = []
        for _ in range(site.size.pairs // 2 + 10):
            begun = time.perf_counter()
            await client.ping()
            times.append(time.perf_counter() - begun)
    return p50(times[10:])


async def _bare(site: Site) -> float:
    """Return calls/s of 50 tasks with bare EVALSHA."""
    count = site.size.pairs_of_tasks
    async with site.bare_async() as client:
        sha = await client.script_load(BARE)

        async def work(calls: int) -> None:
            for _ in range(calls):
                await client.evalsha(sha, 0)

        await asyncio.gather(*(work(1) for _ in range(site.size.tasks)))  # connects
        begun = time.perf_counter()
        await asyncio.gather(*(work(count) for _ in range(site.size.tasks)))
        return site.size.tasks * count / (time.perf_counter() - begun)


@asynccontextmanager
async def _submitter(client: Client) -> AsyncIterator[Line]:
    line = Line(client.connections)
    await line.open(5.0)
    yield line


def _etl(number: int, **tags: str):  # type: ignore[no-untyped-def]
    return RunSpec("etl", location="bench", tags=tags).command(f"run-{number}", "bench")


async def _submit_to_start(site: Site) -> float:
    with site.client() as client:
        other = WorkerProcess(site.server.url, client.connections.namespace)
        async with _submitter(client) as line, other as worker:
            times = []
            for number in range(max(10, site.size.pairs // 10)):
                begun = time.monotonic()
                line.post(_etl(number))
                times.append(await worker.next_start() - begun)
                while (await asyncio.to_thread(client.runs.counts))["SUCCESS"] <= number:
                    pass  # it is idle again
    return p50(times)


async def _rate(site: Site) -> tuple[float, float]:
    """Return runs/s of one worker, and the server's time for one run."""
    total = site.size.tasks * site.size.pairs_of_tasks // 2
    with site.client() as client:
        async with _submitter(client) as line:
            await asyncio.gather(*(line.ask(_etl(number)) for number in range(total)))
        worker = Worker(location_of(), client.connections, WorkerSettings(concurrency=SEATS, keep=1000))
        before, begun = site.used(), time.perf_counter()
        working = asyncio.create_task(worker.work())
        await worker.until_finished(total)
        rate = total / (time.perf_counter() - begun)
        used = site.used() - before
        worker.drain()
        await working
    return rate, used.scripts / total


async def _freed(site: Site) -> float:
    """Runs of one tag value at limit 1, one after another: from the end of an op to the start of the next."""
    count = max(10, site.size.pairs // 10)
    moments: list[tuple[float, float]] = []
    with site.client() as client:
        client.limits.set("tag:db=main", 1)
        async with _submitter(client) as line:
            await asyncio.gather(*(line.ask(_etl(number, db="main")) for number in range(count)))
        worker = Worker(_timed(moments), client.connections, WorkerSettings(concurrency=2))
        working = asyncio.create_task(worker.work())
        await worker.until_finished(count)
        worker.drain()
        await working
    return p50([begin - end for (_, end), (begin, _) in pairwise(moments)])


def _timed(moments: list[tuple[float, float]]):  # type: ignore[no-untyped-def]
    from workers import job, op
    from workers.definitions import Location

    @op
    async def extract() -> None:
        begin = time.perf_counter()
        await asyncio.sleep(0)
        moments.append((begin, time.perf_counter()))

    @job(ops=[extract])
    def etl() -> None: ...

    return Location("bench", {"etl": etl})
