"""Idle: what a process sends that does nothing but hold, or nothing but wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from anyio import to_thread

from benchmarks.measure import Figure, Site, micros, until_waiting
from semaphores import Client

FIGURES = (
    Figure(
        "leases",
        "1,000 leases in one process, ttl 10 s",
        "commands/s",
        "floor: 1 per ttl/3",
        "one beat a process, every min(ttl/6, 1.5 s)",
    ),
    Figure("leases_server", "the server's time for them", "µs/s", bound="a beat compares each lease"),
    Figure("waiters", "1,000 waiters in one process", "commands/s", "≤ 1 (floor: 2)", "one beat a process, every 1 s"),
    Figure("waiters_server", "the server's time for them", "µs/s", bound="a beat compares each request"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return asyncio.run(_run(site))


async def _run(site: Site) -> dict[str, float]:
    many = site.size.many
    with site.client(p=many) as client:
        leases, leases_server = await _idle(site, client, holders=many, waiters=0)
    with site.client(p=1) as client:
        waiters, waiters_server = await _idle(site, client, holders=1, waiters=many)
    return {
        "leases": leases,
        "leases_server": micros(leases_server),
        "waiters": waiters,
        "waiters_server": micros(waiters_server),
    }


async def _idle(site: Site, client: Client, holders: int, waiters: int) -> tuple[float, float]:
    """Return commands a second, and the server's seconds a second."""
    slots, over, entered = client.pool("p"), asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with slots:
            entered.release()
            await over.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(holders + waiters):
            group.create_task(hold())
        for _ in range(holders):
            await entered.acquire()
        await until_waiting(client, "p", waiters)
        await asyncio.sleep(site.size.window / 4)  # the first beats brought news
        before = site.used()
        sent = await to_thread.run_sync(site.server.requests_in, site.size.window)
        used = site.used() - before
        over.set()
    return sent / site.size.window, used.scripts / site.size.window
