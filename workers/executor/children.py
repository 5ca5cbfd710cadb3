"""Children: the child processes of a worker, kept warm between ops and runs."""

from __future__ import annotations

import asyncio

import anyio

from workers.executor.process import Child
from workers.executor.protocol import Company

__all__ = ["Children"]

IDLE_FOR = 60.0  # seconds that a child waits for its next op; to start one takes 0.1 s, to keep one 30 MB
MOST_IDLE = 32  # of one worker


class Children:
    """The children of one worker. Use it in one event loop, and close it. `company`: who is to know of them."""

    def __init__(
        self, company: Company | None = None, *, idle_for: float = IDLE_FOR, most_idle: int = MOST_IDLE
    ) -> None:
        self._company = company
        self._idle_for, self._most_idle = idle_for, most_idle
        self._idle: dict[Child, asyncio.TimerHandle] = {}  # the one that was busy last is the last
        self._ending = set[asyncio.Task[None]]()

    def __repr__(self) -> str:
        return f"<Children, {len(self._idle)} idle>"

    async def take(self) -> Child:
        """Return a child that is free: a warm one, or a new one. Raises OpFailed when none can be started."""
        while self._idle:
            child, timer = self._idle.popitem()
            timer.cancel()
            if child.alive:
                return child
        child = await Child.start()
        if self._company is not None:
            await self._introduce(child, self._company)
        return child

    async def _introduce(self, child: Child, company: Company) -> None:
        child.when_over(lambda: company.leave(child.guard))
        try:
            await company.join(child.guard)
        except BaseException:
            child.dismiss()
            raise

    def give_back(self, child: Child) -> None:
        """Keep a child for the next op, if it is any good for one."""
        if child.alive and len(self._idle) < self._most_idle:
            self._idle[child] = asyncio.get_running_loop().call_later(self._idle_for, self._expire, child)
        else:
            self._end(child)

    async def close(self) -> None:
        """End the idle ones; the busy ones belong to runs, which end them."""
        with anyio.CancelScope(shield=True):
            for child, timer in list(self._idle.items()):
                timer.cancel()
                self._expire(child)
            if self._ending:
                await asyncio.wait(self._ending)

    def _expire(self, child: Child) -> None:
        del self._idle[child]
        self._end(child)

    def _end(self, child: Child) -> None:
        child.dismiss()
        task = asyncio.get_running_loop().create_task(child.gone())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
