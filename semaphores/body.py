"""Body: what runs inside an `async with`, cancelled when its lease is lost, in asyncio and in trio.

A cancellation of ours never leaves the `async with`: it surfaces as LeaseLost. Others pass through untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from anyio import CancelScope

from semaphores.errors import UsageError
from semaphores.lease import Stake

__all__ = ["Body", "LoopBody", "TrioBody"]

ELSEWHERE = "an `async with` was left by another task than the one that entered it; its lease was released"


class Body(Protocol):
    """The body of one `async with`."""

    stake: Stake

    def watch(self) -> None:
        """Have the body cancelled when a lease it rests on is lost. Called when it is entered, by its own task."""

    def over(self, left_by: object) -> bool:
        """Note that it is left; True when no cancellation of ours is on its way: there is nothing to `settle` then.

        This, or `settle`, raises UsageError in another task than entered it.
        """

    async def settle(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Take in a cancellation of ours; True when that is what ended the body."""


class LoopBody:
    """A body in an asyncio task; cancelled as asyncio.timeout does it, since a scope of anyio's costs 4 µs a pair."""

    __slots__ = ("_cancelled", "_left", "_loop", "_pending", "_task", "stake")

    def __init__(self, stake: Stake, task: asyncio.Task[object] | None, loop: asyncio.AbstractEventLoop) -> None:
        self.stake = stake
        self._task = task
        self._loop = loop
        self._pending = 0
        self._cancelled = self._left = False

    def watch(self) -> None:
        """Have the body cancelled when a lease it rests on is lost. Called when it is entered, by its own task."""
        if self._task is not None:
            self._pending = self._task.cancelling()
        for holding in self.stake.holdings():
            holding.watchers.append(self._lost)
            if holding.lost is not None:
                self._lost()

    def _lost(self) -> None:
        with suppress(RuntimeError):  # the loop was closed: nothing runs in it
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._left and not self._cancelled and self._task is not None:  # once, though it rests on several leases
            self._cancelled = True
            self._task.cancel("its lease was lost")

    def over(self, left_by: object) -> bool:
        """Note that it is left; True when no cancellation of ours is on its way: there is nothing to `settle` then.

        Raises UsageError in another task than entered it.
        """
        self._left = True
        _unwatch(self.stake, self._lost)
        if self._task is not left_by:
            raise UsageError(ELSEWHERE)
        return not self._cancelled

    async def settle(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Take in a cancellation of ours; True when that is what ended the body."""
        task = self._task
        if task is None:
            return False
        ours = task.uncancel() <= self._pending
        if kind is asyncio.CancelledError:
            return ours
        try:
            await asyncio.sleep(0)  # the body ended by itself before it was told
        except asyncio.CancelledError:
            if task.cancelling() > self._pending:  # not ours alone
                raise
        return False


class TrioBody:
    """A body in a trio task: a cancel scope."""

    def __init__(self, stake: Stake, soon: Callable[[Callable[[], object]], None]) -> None:
        self.stake = stake
        self._soon = soon
        self._scope = CancelScope()

    def watch(self) -> None:
        """Have the body cancelled when a lease it rests on is lost. Called when it is entered, by its own task."""
        self._scope.__enter__()
        for holding in self.stake.holdings():
            holding.watchers.append(self._lost)
            if holding.lost is not None:
                self._lost()

    def _lost(self) -> None:
        self._soon(self._scope.cancel)

    def over(self, left_by: object) -> bool:
        """Note that it is left; there is a scope to `settle`."""
        _unwatch(self.stake, self._lost)
        return False

    async def settle(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave the scope; True when that is what ended the body. Raises UsageError in another task than entered it."""
        try:
            return bool(self._scope.__exit__(kind, error, trace))
        except RuntimeError:
            raise UsageError(ELSEWHERE) from None


def _unwatch(stake: Stake, watcher: Callable[[], None]) -> None:
    for holding in stake.holdings():
        if watcher in holding.watchers:
            holding.watchers.remove(watcher)
