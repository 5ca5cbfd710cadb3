"""Pool: `pool` and `acquire`, one object each that is decorator, context manager and async context manager.

Invariant: leaving hands the release over and never waits for its reply; a body whose lease was lost ends in LeaseLost.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from threading import get_ident
from types import TracebackType
from typing import ParamSpec, TypeVar, cast, overload

from semaphores import tracing
from semaphores.body import Body
from semaphores.connecting import default_connections, seconds_of
from semaphores.connections import Connections
from semaphores.drivers import AsyncDriver, ThreadDriver, async_driver, current_task
from semaphores.errors import InvalidNumber, UsageError
from semaphores.lease import AsyncLease, Lease, Stake, chain
from semaphores.names import needs_of
from semaphores.request import Attempt, Demand

__all__ = ["Acquirer", "acquire", "pool"]

P = ParamSpec("P")
R = TypeVar("R")
LOWEST, HIGHEST = -4096, 4095  # priorities that fit one exact number with their order


class Acquirer:
    """Acquires the same slots each time it is entered or a decorated function is called. Safe for concurrent use."""

    def __init__(self, demand: Demand, connections: Callable[[], Connections]) -> None:
        self.demand = demand
        self._connections = connections
        self._entered: dict[object, list[_Inside]] = {}  # by task or thread, last in first out

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
            raise TypeError(
                f"{function.__qualname__} is a generator: put `with pool(...)` inside it, around what needs it"
            )
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
        attempt = Attempt(connections, self.demand, chain.get())
        traced = tracing.Traced(attempt) if tracing.on else None
        try:
            stake = driver.attempt(attempt)
        except BaseException as error:
            if traced is not None:
                traced.failed(error)
            raise
        try:
            self._push(get_ident(), _Inside(stake, traced=traced))
            if traced is not None:
                traced.granted(attempt, stake)
            return Lease(stake, driver.finish)
        except BaseException:  # an interrupt: its `with` is never entered, so it is never left
            _give_back(stake)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            stake = self._innermost(get_ident())[1][-1].stake
            lost = stake.lost_error()
            _give_back(stake)
        except BaseException:  # an interrupt: the slots must come back all the same; twice does nothing
            _give_back(self._pop(get_ident()).stake)
            raise
        inside = self._pop(get_ident())
        if inside.traced is not None:
            inside.traced.left(lost or error)
        if lost is not None and kind is None:
            raise lost

    # in a task

    async def __aenter__(self) -> AsyncLease:
        connections = self._connections()
        driver = async_driver(connections)
        attempt = Attempt(connections, self.demand, chain.get())
        traced = tracing.Traced(attempt) if tracing.on else None
        try:
            stake = await driver.attempt(attempt)
        except BaseException as error:
            if traced is not None:
                traced.failed(error)
            raise
        body = driver.body(stake)
        body.watch()
        self._push(driver.task, _Inside(stake, driver, body, traced))
        if traced is not None:
            traced.granted(attempt, stake)
        return AsyncLease(stake, driver.finish)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = current_task()
        inside = self._pop(task)
        stake, driver, body = inside.stake, inside.driver, inside.body
        if driver is None or body is None:  # entered by a thread, left by a task
            raise UsageError(f"{self!r} was entered with `with` and left with `async with`")
        lost = stake.lost_error()
        if inside.traced is not None:
            inside.traced.left(lost or error)
        for command in stake.leave():
            driver.hand_over(command)
        ours = not body.over(task) and await body.settle(kind, error, trace)
        if lost is not None and (ours or kind is None):
            raise lost

    def _push(self, key: object, inside: _Inside) -> None:
        held = chain.get()
        chain.set((*(stake for stake in held if not stake.left), inside.stake) if held else (inside.stake,))
        self._entered.setdefault(key, []).append(inside)

    def _innermost(self, key: object) -> tuple[object, list[_Inside]]:
        entered = self._entered.get(key)
        if not entered:  # left by another task or thread than entered it
            if not self._entered:
                raise UsageError(f"{self!r} was left, but nobody had entered it")
            return next(iter(self._entered.items()))
        return key, entered

    def _pop(self, key: object) -> _Inside:
        key, entered = self._innermost(key)
        inside = entered.pop()
        if not entered:
            del self._entered[key]
        held = chain.get()
        if held:
            rest = [stake for stake in held if stake is not inside.stake and not stake.left]
            chain.set(tuple(rest) if rest else ())
        return inside


@dataclass(slots=True)
class _Inside:
    """One `with` or `async with` between its entry and its exit."""

    stake: Stake
    driver: AsyncDriver | None = None
    body: Body | None = None
    traced: tracing.Traced | None = None


def _give_back(stake: Stake) -> None:
    for command in stake.leave():
        stake.connections.threads().post(command)


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
    return acquire(pools={name: slots}, timeout=timeout, priority=priority, blocking=blocking, connections=connections)


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
