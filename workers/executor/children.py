"""Children: the child processes of a worker, kept warm between ops and runs."""

from __future__ import annotations

import os

import anyio

from workers.executor.process import Child
from workers.executor.protocol import Company

__all__ = ["Children"]


class Children:
    """The children of one worker. Use it in one event loop, and close it. `company`: who is to know of them."""

    def __init__(self, company: Company | None = None, most_idle: int | None = None) -> None:
        self._company = company
        self._most_idle = most_idle or os.cpu_count() or 1  # kept warm: more cannot be busy to any good
        self._idle: list[Child] = []

    def __repr__(self) -> str:
        return f"<Children, {len(self._idle)} idle>"

    async def take(self) -> Child:
        """Return a child that is free: a warm one, or a new one."""
        while self._idle:
            child = self._idle.pop()
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
            self._idle.append(child)
        else:
            child.dismiss()

    async def close(self) -> None:
        """End the idle ones; the busy ones belong to runs, which end them."""
        with anyio.CancelScope(shield=True):
            idle, self._idle = self._idle, []
            for child in idle:
                child.dismiss()
            for child in idle:
                await child.gone()
