"""Gate: where the ops of a run take the slots of their pools, on all hosts together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from semaphores.connections import Connections
from semaphores.lease import AsyncLease
from semaphores.names import needs_of
from semaphores.pool import HIGHEST, LOWEST, Acquirer
from semaphores.request import Demand
from workers.executor.protocol import Held
from workers.op import Op

__all__ = ["OpenGate", "PoolGate"]


class _Lease:
    """The slots of an op while it runs."""

    __slots__ = ("_lease",)

    def __init__(self, lease: AsyncLease) -> None:
        self._lease = lease

    def rest(self) -> float:
        """Seconds for which they are certainly held."""
        return self._lease.remaining


class PoolGate:
    """Each op takes the slots of its pools before it runs (granularity `op`). `priority`: that of the run."""

    def __init__(self, connections: Connections, run: str, priority: int) -> None:
        self._connections = connections
        self._run = run
        self._priority = priority

    @asynccontextmanager
    async def slots(self, op: Op, waiting: Callable[[str], None]) -> AsyncIterator[Held | None]:
        """Wait for the slots of an op's pools and hold them while the block runs."""
        priority = max(LOWEST, min(HIGHEST, self._priority + op.priority))
        task = asyncio.current_task()
        if task is not None:
            task.set_name(f"run-{self._run}.{op.name}")  # whoever looks at the pool sees which run and op holds it
        demand = Demand(needs_of(op.pools, {}), priority=priority, waits=waiting)
        async with Acquirer(demand, lambda: self._connections) as lease:
            yield _Lease(lease)


class OpenGate:
    """The run holds its pools itself (granularity `run`): its ops take none."""

    @asynccontextmanager
    async def slots(self, op: Op, waiting: Callable[[str], None]) -> AsyncIterator[Held | None]:
        """Let an op through."""
        yield None
