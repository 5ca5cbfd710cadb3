"""Pair: one task acquires and releases, nobody else wants the slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from benchmarks.measure import Figure, Site, bare_trip, between, micros, p50
from semaphores import Client

FIGURES = (
    Figure("trip", "bare EVALSHA through redis.asyncio (RTT)", "µs", bound="what the ratios are against"),
    Figure(
        "pair",
        "acquire + release, p50",
        "× RTT",
        "≤ 1.4 (floor: 2.5)",
        "one round trip: the release rides with the next acquire; then a lone call's script and the client's Python",
    ),
    Figure("mean", "the same, mean of all", "× RTT", bound="the same, with the worst ones in"),
    Figure("waited", "acquire + `await lease.release()`, p50", "× RTT", bound="two round trips"),
    Figure(
        "scripts",
        "server time a pair, lone: scripts",
        "µs",
        "≤ 30",
        "the number of redis.calls in a call (about 1 µs each), and its fixed part",
    ),
    Figure(
        "processor", "server time a pair, lone: processor", "µs", bound="the same and a read and a write of a socket"
    ),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    with site.client(p=10) as client:
        await _pairs(client, site.size.pairs // 10 + 1)  # warm

        async def bare() -> float:
            return await bare_trip(site)

        means: list[float] = []
        spent: list[tuple[float, float]] = []

        async def pairs() -> float:
            before, begun = site.used(), time.perf_counter()
            times = await _pairs(client, site.size.pairs)
            means.append((time.perf_counter() - begun) / len(times))
            used = site.used() - before
            spent.append((used.scripts / len(times), used.processor / len(times)))
            return p50(times)

        async def waited() -> float:
            return p50(await _waited_pairs(client, site.size.pairs // 2))

        pair, trip = await between(bare, pairs)
        released, other_trip = await between(bare, waited)
    return {
        "trip": micros(trip),
        "pair": pair / trip,
        "mean": means[0] / trip,
        "waited": released / other_trip,
        "scripts": micros(spent[0][0]),
        "processor": micros(spent[0][1]),
    }


async def _pairs(client: Client, count: int) -> list[float]:
    slots, times = client.pool("p"), []
    for _ in range(count):
        begun = time.perf_counter()
        async with slots:
            pass
        times.append(time.perf_counter() - begun)
    return times


async def _waited_pairs(client: Client, count: int) -> list[float]:
    slots, times = client.pool("p"), []
    for _ in range(count):
        begun = time.perf_counter()
        async with slots as lease:
            await lease.release()
        times.append(time.perf_counter() - begun)
    return times
