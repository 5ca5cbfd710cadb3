"""Running one run as a worker does, and seeing what it told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from workers import Job, Op
from workers.executor.execute import Executors, execute
from workers.executor.protocol import Held, LogLine, OpEvent, Report, RunInfo
from workers.packing import unpack


class Told:
    """All that a run told."""

    def __init__(self) -> None:
        self.all: list[OpEvent | LogLine] = []
        self._news = asyncio.Event()

    def __call__(self, told: OpEvent | LogLine) -> None:
        self.all.append(told)
        self._news.set()

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(each.op, each.status) for each in self.all if isinstance(each, OpEvent)]

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(each.kind, each.text) for each in self.all if isinstance(each, LogLine)]

    def text(self, op: str, status: str) -> str:
        events = [each for each in self.all if isinstance(each, OpEvent)]
        return next(each.text for each in events if (each.op, each.status) == (op, status))

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not found():
                self._news.clear()
                await self._news.wait()


class PoolsGate:
    """Pools of this process, first come first served, all or nothing."""

    def __init__(self, **pools: int) -> None:
        self.free = dict(pools)
        self.most: dict[str, int] = {}
        self._changed = asyncio.Condition()
        self.asked: list[str] = []

    @asynccontextmanager
    async def slots(self, op: Op, waiting: Callable[[str], None]) -> AsyncIterator[Held | None]:
        self.asked.append(op.name)
        async with self._changed:
            short = next((pool for pool, count in op.pools.items() if self.free[pool] < count), None)
            if short is not None:
                waiting(f"pool:{short}")
            await self._changed.wait_for(lambda: all(self.free[pool] >= count for pool, count in op.pools.items()))
            for pool, count in op.pools.items():
                self.free[pool] -= count
        try:
            yield None
        finally:
            async with self._changed:
                for pool, count in op.pools.items():
                    self.free[pool] += count
                self._changed.notify_all()


async def run(
    job: Job,
    told: Report | None = None,
    *,
    args: Mapping[str, object] | None = None,
    config: Mapping[str, object] | None = None,
    gate: PoolsGate | None = None,
    executors: Executors | None = None,
    rest: Callable[[], float] = lambda: math.inf,
    cancel_timeout: float = 5.0,
) -> dict[str, Any]:
    """Run a job once and return its results by op."""
    if executors is None:
        async with Executors() as own:
            return await run(job, told, args=args, config=config, gate=gate, executors=own, rest=rest)
    info = RunInfo("run-1", job.name, 1, 1, {"team": "growth"}, args or {}, config)
    packed = await execute(
        job, info, gate or PoolsGate(), told or Told(), rest, executors, cancel_timeout=cancel_timeout
    )
    found = {} if packed is None else unpack(packed)
    assert isinstance(found, dict)
    return found
