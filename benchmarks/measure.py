"""Measure: what the groups of figures share: what a figure is, the bare counterparts, medians.

Times are seconds inside, and get their unit where a figure is handed out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol, TypeVar
from uuid import uuid4

import redis
import redis.asyncio

from benchmarks.server import BenchServer, Used
from semaphores import Client, connect

__all__ = [
    "Figure",
    "Group",
    "Site",
    "Size",
    "bare_trip",
    "between",
    "micros",
    "p50",
    "until_waiting",
]

T = TypeVar("T")
BARE = "return 1"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    key: str
    what: str
    unit: str  # µs, ms, s, a number a second, or × something measured in the same round
    aim: str = ""
    bound: str = ""  # what it cannot get below, and why


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything one round takes. Counts but for `window`, in seconds."""

    pairs: int = 1500
    tasks: int = 50
    pairs_of_tasks: int = 300  # for each task
    drains: int = 12  # of the short lines; each is emptied this often
    deep: int = 10_000  # waiters in the long line
    hand_offs: int = 400  # taken from the long line
    many: int = 1000  # leases, or waiters, of an idle process
    window: float = 8.0
    kills: int = 5
    queued: int = 1_000_000  # runs


TINY = Size(
    pairs=20, tasks=4, pairs_of_tasks=5, drains=1, deep=80, hand_offs=10, many=20, window=0.3, kills=1, queued=200
)  # to see that figures come out


@dataclass(slots=True)
class Site:
    """Where a group measures: a server, and how much to do there."""

    server: BenchServer
    size: Size = field(default_factory=Size)

    def client(self, **limits: int) -> Client:
        """Return a client of a namespace that nobody used, with these pools limited."""
        client = connect(self.server.url, namespace=f"bench-{uuid4().hex[:8]}", init=True)
        for name, capacity in limits.items():
            client.limits.set(f"pool:{name}", capacity)
        return client

    def bare_async(self) -> redis.asyncio.Redis:
        """Return a plain asyncio client."""
        return redis.asyncio.Redis(host="127.0.0.1", port=self.server.port)

    def bare(self) -> redis.Redis:
        """Return a plain client for threads."""
        return redis.Redis(host="127.0.0.1", port=self.server.port)

    def used(self) -> Used:
        """Return what the server has spent until now."""
        return self.server.used()


class Group(Protocol):
    """A module that measures some figures together."""

    @property
    def FIGURES(self) -> Sequence[Figure]:  # noqa: N802 (a constant of the module)
        """Its rows."""

    def run(self, site: Site, /) -> Mapping[str, float]:
        """Take each figure once, by key."""


def p50(seconds: Sequence[float]) -> float:
    """Return the median."""
    return median(seconds)


def micros(seconds: float) -> float:
    """Return seconds as µs."""
    return seconds * 1e6


async def bare_trip(site: Site) -> float:
    """Return the p50 of one bare EVALSHA round trip through redis.asyncio."""
    async with site.bare_async() as client:
        sha = await client.script_load(BARE)
        times = []
        for _ in range(site.size.pairs // 2 + 10):
            begun = time.perf_counter()
            await client.evalsha(sha, 0)
            times.append(time.perf_counter() - begun)
    return p50(times[10:])  # the first ones connect


async def between(bare: Callable[[], Awaitable[float]], figure: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    """Return a figure and the mean of its bare counterpart before and after it."""
    before = await bare()
    value = await figure()
    return value, (before + await bare()) / 2


async def until_waiting(client: Client, pool: str, count: int) -> None:
    """Return when that many requests wait for a pool."""
    while (await client.aio.limits.get(f"pool:{pool}")).waiting < count:  # noqa: ASYNC110 (set-up; the server tells nobody)
        await asyncio.sleep(0.02)
