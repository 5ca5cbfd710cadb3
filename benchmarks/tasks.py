"""Tasks: fifty tasks of one process acquire and release as fast as they can; there is a slot for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import redis.asyncio

from benchmarks.measure import BARE, Figure, Site, between, micros
from semaphores import Client

PIPELINED = 200  # bare calls that go out together, to see what one costs the server alone

FIGURES = (
    Figure("bare", "50 tasks, two bare EVALSHA each through redis.asyncio", "pairs/s", bound="the client's processor"),
    Figure("pairs", "50 tasks, acquire + release", "pairs/s", bound="the client's processor, then the server's"),
    Figure(
        "ratio",
        "the same, against bare",
        "×",
        "≥ 7 (floor: 3)",
        "the client's Python for each pair: what goes over the socket is shared by some 50 commands",
    ),
    Figure(
        "scripts",
        "server time a pair, grouped: scripts",
        "µs",
        "≤ 12",
        "unpacking, a line for each lease, and its member in each set",
    ),
    Figure("processor", "server time a pair, grouped: processor", "µs", "floor: ≤ 30", "the same and its sockets"),
    Figure("bare_server", "server time of a bare EVALSHA, pipelined", "µs", bound="what this machine's server can do"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    tasks, each = site.size.tasks, site.size.pairs_of_tasks
    total = tasks * each
    with site.client(p=tasks) as client:
        await _grouped(client, tasks, 5)  # warm
        spent: list[tuple[float, float]] = []

        async def bare() -> float:
            async with site.bare_async() as plain:
                return await _bare(plain, tasks, max(2, each // 6))

        async def grouped() -> float:
            before, begun = site.used(), time.perf_counter()
            await _grouped(client, tasks, each)
            rate = total / (time.perf_counter() - begun)
            used = site.used() - before
            spent.append((used.scripts / total, used.processor / total))
            return rate

        rate, bare_rate = await between(bare, grouped)
    return {
        "bare": bare_rate,
        "pairs": rate,
        "ratio": rate / bare_rate,
        "scripts": micros(spent[0][0]),
        "processor": micros(spent[0][1]),
        "bare_server": micros(_bare_server(site)),
    }


async def _grouped(client: Client, tasks: int, each: int) -> None:
    slots = client.pool("p")

    async def work() -> None:
        for _ in range(each):
            async with slots:
                pass

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(work())


async def _bare(client: redis.asyncio.Redis, tasks: int, each: int) -> float:
    """Return pairs/s of tasks that do two bare EVALSHA for each pair."""
    sha = await client.script_load(BARE)

    async def work(count: int) -> None:
        for _ in range(2 * count):
            await client.evalsha(sha, 0)

    await asyncio.gather(*(work(1) for _ in range(tasks)))  # connects
    begun = time.perf_counter()
    await asyncio.gather(*(work(each) for _ in range(tasks)))
    return tasks * each / (time.perf_counter() - begun)


def _bare_server(site: Site) -> float:
    with site.bare() as plain:
        sha = plain.script_load(BARE)
        count = max(1, site.size.pairs // 20)
        before = site.used()
        for _ in range(count):
            with plain.pipeline(transaction=False) as calls:
                for _ in range(PIPELINED):
                    calls.evalsha(sha, 0)
                calls.execute()
        return (site.used() - before).processor / (count * PIPELINED)
