"""Hand-off: from leaving a `with` to the return of the next holder's, down lines of one-shot waiters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from benchmarks.measure import Figure, Site, bare_trip, between, micros, p50, until_waiting
from benchmarks.peer import Peer
from semaphores import Client

_INSIDE = "a round trip with a lone call that releases, grants and takes a waiter out of its line"
_PUSHED = "the same, and a message that the other process's thread reads and hands to its loop"

FIGURES = (
    Figure("trip", "bare EVALSHA through redis.asyncio (RTT)", "µs", bound="what the ratios are against"),
    Figure("ten", "10 waiters, in the caller's process", "× RTT", bound=_INSIDE),
    Figure("short", "64 waiters, in the caller's process", "× RTT", "≤ 1.5 (floor: 5 × PING)", _INSIDE),
    Figure("long", "10,000 waiters, in the caller's process", "× RTT", "≤ 1.6", _INSIDE),
    Figure("flat", "10,000 against 10, in the caller's process", "×", "≤ 1.5", "the line's length does not count"),
    Figure("pushed_ten", "10 waiters, pushed to another process", "× RTT", bound=_PUSHED),
    Figure("pushed", "64 waiters, pushed to another process", "× RTT", "≤ 1.6", _PUSHED),
    Figure("pushed_long", "10,000 waiters, pushed to another process", "× RTT", "≤ 1.6", _PUSHED),
    Figure("pushed_flat", "10,000 against 10, pushed", "×", "≤ 1.5", "the line's length does not count"),
)
EVERY_SERVER = True  # one of them takes 0.9 s for a grant when its clients wait in one list: ours must not


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    size, trips = site.size, []

    async def bare() -> float:
        return await bare_trip(site)

    async def inside(waiters: int, drains: int, count: int) -> float:
        value, trip = await between(bare, lambda: _inside(site, waiters, drains, count))
        trips.append(trip)
        return value / trip

    async def pushed(waiters: int, count: int) -> float:
        value, trip = await between(bare, lambda: _pushed(site, waiters, count))
        return value / trip

    found = {
        "ten": await inside(10, size.drains * 6, 10),
        "short": await inside(64, size.drains, 64),
        "long": await inside(size.deep, 1, size.hand_offs),
        "pushed_ten": await pushed(10, 10),
        "pushed": await pushed(64, 64),
        "pushed_long": await pushed(size.deep, size.hand_offs),
    }
    found["flat"] = found["long"] / found["ten"]
    found["pushed_flat"] = found["pushed_long"] / found["pushed_ten"]
    return {"trip": micros(p50(trips)), **found}


async def _inside(site: Site, waiters: int, drains: int, count: int) -> float:
    with site.client(p=1) as client:
        times: list[float] = []
        for _ in range(drains):
            times += (await _drained(client, waiters))[:count]
    return p50(times)


async def _drained(client: Client, waiters: int) -> list[float]:
    """Let a line of one-shot waiters go through, one after another."""
    slots, times, left = client.pool("p"), [], 0.0
    first = Holder(client)  # a task of its own: what is started inside a lease would borrow from it

    async def wait_once() -> None:
        nonlocal left
        async with slots:
            times.append(time.monotonic() - max(left, first.left))
            left = time.monotonic()

    async with asyncio.TaskGroup() as group:
        group.create_task(first.hold())
        await first.entered.wait()
        for _ in range(waiters):
            group.create_task(wait_once())
        await until_waiting(client, "p", waiters)
        first.leave.set()
    return times


async def _pushed(site: Site, waiters: int, count: int) -> float:
    """Release one slot after another; a process of its own waits for them, and keeps them."""
    count = min(count, waiters)
    with site.client(p=count) as client:
        holders = [Holder(client) for _ in range(count)]
        async with asyncio.TaskGroup() as group:
            for holder in holders:
                group.create_task(holder.hold())
            for holder in holders:
                await holder.entered.wait()
            async with Peer(site.server.url, client.connections.namespace, waiters) as peer:
                await until_waiting(client, "p", waiters)
                times = []
                for holder in holders:
                    arrival = peer.next_arrival()
                    holder.leave.set()
                    times.append(await arrival - holder.left)
    return p50(times)


class Holder:
    """One task that holds a slot until it is told to leave."""

    def __init__(self, client: Client) -> None:
        self.slots = client.pool("p")
        self.entered = asyncio.Event()
        self.leave = asyncio.Event()
        self.left = 0.0

    async def hold(self) -> None:
        async with self.slots:
            self.entered.set()
            await self.leave.wait()
            self.left = time.monotonic()
