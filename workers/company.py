"""Company: the child processes of a worker, known to the server before they work on anything.

Else others of this host would take the end of the worker for the end of all that works under its leases.
"""

from __future__ import annotations

import asyncio

from workers.line import Line

__all__ = ["Company"]


class Company:
    """Tells of child processes over the session of a line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def join(self, pid: int) -> None:
        """Return when the server knows that a process works for us."""
        told: asyncio.Future[None] = self._line.loop.create_future()

        def hear() -> None:
            if not told.done():
                told.set_result(None)

        session = self._line.session
        session.company.join(pid, lambda: self._line.soon(hear))
        session.on_trouble()  # the next beat tells, at once
        await told

    def leave(self, pid: int) -> None:
        """Note that nothing is left of what it did."""
        self._line.session.company.leave(pid)
