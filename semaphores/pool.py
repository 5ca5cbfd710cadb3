"""Pool: `pool` and `acquire`, one object each that is decorator, context manager and async context manager.

Invariant: leaving hands the release over and never waits for its reply; a body whose lease was lost ends in LeaseLost.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial, wraps
from types import TracebackType
from typing import ParamSpec, TypeVar, cast, overload

import anyio

from semaphores.connecting import default_connections, seconds_of
from semaphores.connections import Connections
from semaphores.drivers import AsyncDriver, ThreadDriver, async_driver
from semaphores.errors import InvalidNumber, UsageError
from semaphores.lease import AsyncLease, Lease, Stake, chain
from semaphores.names import needs_of
from semaphores.request import Attempt, Demand, settle
from semaphores.scripts.commands import Release

__all__ = ["Acquirer", "acquire", "pool"]

P = ParamSpec("P")
R = TypeVar("R")
LOWEST, HIGHEST = -4096, 4095  # priorities that fit one exact number with their order


class Acquirer:
    """Acquires the same slots each time it is entered or a decorated function is called. Safe for concurrent use."""

    def __init__(self, demand: Demand, connections: Callable[[], Connections]) -> None:
        self.demand = demand
        self._connections = connections
        self._entered: dict[object, list[tuple[Stake, AsyncDriver | None, anyio.CancelScope | None, Callable[[], None]]]] = {}

    def __repr__(self) -> str:
        return f"<Acquirer of {dict(self.demand.needs)}>"

    # as a decorator

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...
    def __call__(self, function: Callable[P, object]) -> Callable[P, object]:
        """Run a function with the slots held. Raises TypeError for generators: a lease has no place between yields."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__} is a generator: put `with pool(...)` inside it, around what needs it")
        if inspect.iscoroutinefunction(function):
            waits = cast(Callable[P, Awaitable[object]], function)

            @wraps(function)
            async def limited(*args: P.args, **kwargs: P.kwargs) -> object:
                async with self:
                    return await waits(*args, **kwargs)

            return limited

        @wraps(function)
        def limited_sync(*args: P.args, **kwargs: P.kwargs) -> object:
            with self:
                return function(*args, **kwargs)

        return limited_sync

    # in a thread

    def __enter__(self) -> Lease:
        connections = self._connections()
        driver = ThreadDriver(connections)
        stake = driver.attempt(partial(self._attempt, connections))
        self._push(threading.get_ident(), stake, None, None)
        return Lease(stake, partial(_release, driver))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        stake, *_ = self._pop(threading.get_ident())
        lost = stake.lost_error()
        if stake.leave():
            settle(stake, ThreadDriver(self._connections()).hand_over)
        if lost is not None and kind is None:
            raise lost

    # in a task

    async def __aenter__(self) -> AsyncLease:
        connections = self._connections()
        driver = async_driver(connections)
        stake = await driver.attempt(partial(self._attempt, connections))
        scope = anyio.CancelScope()
        scope.__enter__()
        self._push(_task(), stake, driver, scope)
        return AsyncLease(stake, partial(_leave, driver), partial(_finish, driver))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        stake, driver, scope, watcher = self._pop(_task())
        assert driver is not None and scope is not None  # noqa: S101 (pushed by __aenter__)
        lost = stake.lost_error()
        if stake.leave():
            settle(stake, driver.hand_over)
        for holding in stake.holdings():
            if watcher in holding.watchers:
                holding.watchers.remove(watcher)
        try:
            swallowed = scope.__exit__(kind, error, trace)
        except RuntimeError:
            raise UsageError(f"{self!r} was left by another task than the one that entered it; it was released") from None
        if lost is not None and (swallowed or kind is None):
            raise lost
        return bool(swallowed)

    def _attempt(self, connections: Connections, wake: Callable[[], None], holder: str) -> Attempt:
        return Attempt(connections.session, self.demand, holder, chain.get(), wake)

    def _push(
        self, key: object, stake: Stake, driver: AsyncDriver | None, scope: anyio.CancelScope | None
    ) -> None:
        def lost() -> None:
            if driver is not None and scope is not None:
                driver.soon(scope.cancel)

        if scope is not None:
            for holding in stake.holdings():
                holding.watchers.append(lost)
                if holding.lost is not None:
                    lost()
        chain.set((*(held for held in chain.get() if not held.left), stake))
        self._entered.setdefault(key, []).append((stake, driver, scope, lost))

    def _pop(
        self, key: object
    ) -> tuple[Stake, AsyncDriver | None, anyio.CancelScope | None, Callable[[], None]]:
        entered = self._entered.get(key)
        if not entered:  # left by another task or thread than entered it: whichever it has longest
            if not self._entered:
                raise UsageError(f"{self!r} was left, but nobody had entered it")
            key, entered = next(iter(self._entered.items()))
        found = entered.pop()
        if not entered:
            del self._entered[key]
        chain.set(tuple(stake for stake in chain.get() if stake is not found[0] and not stake.left))
        return found


def _task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no asyncio loop here: trio
        from trio.lowlevel import current_task

        return current_task()


def _release(driver: ThreadDriver, stake: Stake) -> None:
    if stake.leave():
        settle(stake, lambda command: driver.finish(command) if isinstance(command, Release) else None)


def _leave(driver: AsyncDriver, stake: Stake) -> None:
    if stake.leave():
        settle(stake, driver.hand_over)


async def _finish(driver: AsyncDriver, stake: Stake) -> None:
    commands: list[Release] = []
    if stake.leave():
        settle(stake, lambda command: commands.append(command) if isinstance(command, Release) else None)
    for command in commands:
        await driver.finish(command)


def demand_of(
    pools: Mapping[str, int],
    tags: Mapping[str, str],
    timeout: float | timedelta | None,
    priority: int,
    blocking: bool,
) -> Demand:
    """Return a checked demand. Raises InvalidName, InvalidNumber, UsageError."""
    needs = needs_of(pools, tags)
    if not needs:
        raise UsageError("nothing was asked for: name at least one pool or tag")
    if isinstance(priority, bool) or not isinstance(priority, int) or not LOWEST <= priority <= HIGHEST:
        raise InvalidNumber("priority", priority, f"a whole number from {LOWEST} to {HIGHEST}")
    return Demand(needs, seconds_of("timeout", timeout), priority, blocking)


def pool(
    name: str,
    *,
    slots: int = 1,
    timeout: float | timedelta | None = None,
    priority: int = 0,
    blocking: bool = True,
    connections: Connections | None = None,
) -> Acquirer:
    """Limit what runs at once in a pool, on all hosts together.

    `slots` of the pool's are held (1 to 1,000); `timeout` is how long to wait for them, in seconds (None: for ever);
    among those that wait, higher `priority` goes first; `blocking=False` tries once. Entering raises AcquireTimeout,
    TooHeavy, ServerUnavailable; leaving raises LeaseLost when the lease was lost meanwhile.
    """
    return acquire(
        pools={name: slots}, timeout=timeout, priority=priority, blocking=blocking, connections=connections
    )


def acquire(
    *,
    pools: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
    timeout: float | timedelta | None = None,
    priority: int = 0,
    blocking: bool = True,
    connections: Connections | None = None,
) -> Acquirer:
    """Take slots of several limits, all or nothing: `pools` by name, and one slot of each tag and of its value.

    Everything else is as for `pool`.
    """
    demand = demand_of(pools or {}, tags or {}, timeout, priority, blocking)
    return Acquirer(demand, default_connections if connections is None else lambda: connections)


