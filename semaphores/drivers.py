"""Drivers: how a thread, an asyncio task and a trio task carry out the steps of an attempt. A page each.

Only the socket call and the waiting differ; everything else is in `request`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import lru_cache, partial
from threading import get_ident
from typing import Protocol, TypeVar

import anyio
from anyio import to_thread

from semaphores.body import Body, LoopBody, TrioBody
from semaphores.connections import Connections
from semaphores.errors import ServerUnavailable
from semaphores.lease import Stake
from semaphores.request import Attempt, Send, Step, Wait
from semaphores.scripts.commands import Command
from semaphores.session.ledger import Pending
from semaphores.session.process import where, word_of

__all__ = ["AsyncDriver", "LoopDriver", "ThreadDriver", "TrioDriver", "async_driver", "current_task"]

T = TypeVar("T")
RETRY = 0.1  # seconds between two tries to connect


@lru_cache(maxsize=4096)
def holder_word(pid: int, task: str) -> str:
    """Return who holds, as one word: HOST:PID:TASK."""
    return word_of(f"{where()}:{pid}:{task}")


class ThreadDriver:
    """Carries out steps in a thread."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._bell = threading.Lock()  # free once somebody rang; an Event costs six times as much
        self._bell.acquire()

    def _wake(self) -> None:
        try:  # noqa: SIM105 (a context manager costs more than the rest of it)
            self._bell.release()
        except RuntimeError:  # it has rung already
            pass

    def attempt(self, attempt: Attempt) -> Stake:
        """Run an attempt; whatever interrupts it leaves nothing behind."""
        port = self.connections.threads()
        attempt.wake = self._wake
        attempt.holder = holder_word(self.connections.pid, threading.current_thread().name)
        try:
            return self._drive(attempt.run())
        except BaseException:
            attempt.abandon(port.post)
            raise

    def _drive(self, steps: Generator[Step, None, T]) -> T:
        port = self.connections.threads()
        try:
            while True:
                step = next(steps)
                if isinstance(step, Send):
                    port.run(step.pending, step.give_up)
                else:
                    self._bell.acquire(timeout=-1 if step.until is None else max(0.0, step.until - time.monotonic()))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def hand_over(self, command: Command) -> None:
        """Send a command whose reply nobody waits for."""
        self.connections.threads().post(command)

    def finish(self, command: Command) -> None:
        """Send a command and wait for its answer, as long as the server can be reached."""
        answered = threading.Event()
        pending = self.connections.session.ledger.enter(command, lambda _: answered.set())
        self.connections.threads().run(pending, time.monotonic() + self.connections.session.deadline.ttl)
        answered.wait(self.connections.session.deadline.ttl)


class AsyncDriver(Protocol):
    """What the async drivers have in common."""

    @property
    def task(self) -> object:
        """The task that it drives."""

    async def attempt(self, attempt: Attempt) -> Stake:
        """Run an attempt; whatever interrupts it leaves nothing behind."""

    def body(self, stake: Stake) -> Body:
        """Return the body that runs with a stake."""

    def hand_over(self, command: Command) -> None:
        """Send a command whose reply nobody waits for."""

    async def finish(self, command: Command) -> None:
        """Send a command and wait for its answer, as long as the server can be reached."""


def async_driver(connections: Connections) -> AsyncDriver:
    """Return the driver for the running event loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no asyncio loop runs in this thread
        return TrioDriver(connections)
    return LoopDriver(connections, loop)


def current_task() -> object:
    """Return the running task, of asyncio or of trio."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        from trio.lowlevel import current_task as trio_task

        return trio_task()


class LoopDriver:
    """Carries out steps in an asyncio task."""

    __slots__ = ("_attempt", "_future", "_woken", "connections", "port", "task")

    def __init__(self, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self.connections = connections
        self.port = connections.loop(loop)
        self.task = asyncio.current_task(loop)
        self._attempt: Attempt | None = None
        self._future: asyncio.Future[None] | None = None
        self._woken = False

    async def attempt(self, attempt: Attempt) -> Stake:
        """Run an attempt; whatever interrupts it leaves nothing behind."""
        attempt.wake = self._wake
        self._attempt = attempt
        attempt.holder = holder_word(self.connections.pid, self.task.get_name() if self.task else "loop")
        try:
            steps = attempt.run()
            while True:
                step = next(steps)
                if isinstance(step, Wait):
                    if not self._woken:
                        await self._wait(step.until)
                    self._woken = False
                elif self.port.ready:
                    self.port.post(step.pending)
                else:
                    await self._connect_and_post(step.pending, step.give_up)
        except StopIteration as stop:
            stake: Stake = stop.value
            self._attempt = None
            return stake
        except BaseException:
            attempt.abandon(self.hand_over)
            raise

    async def _connect_and_post(self, pending: Pending, give_up: float) -> None:
        while not self.port.ready:
            reached = self.connections.reached
            if reached and not self.port.may_try:
                break
            try:
                await self.port.connect()
            except ServerUnavailable:
                if reached:
                    break  # the keeper sends it until the server is back
                if time.monotonic() >= give_up:
                    raise
                await asyncio.sleep(RETRY)
        if self.port.ready:
            pending.sent = time.monotonic()
            self.port.post(pending)
        else:
            pending.sent = None
            self.connections.session.on_trouble()

    def body(self, stake: Stake) -> LoopBody:
        """Return the body that runs with a stake."""
        return LoopBody(stake, self.task, self.port.loop)

    def _wake(self) -> None:
        if get_ident() == self.port.thread:
            self._set()
        else:
            try:
                self.port.loop.call_soon_threadsafe(self._set)
            except RuntimeError:  # the loop was closed: nobody waits any more, and what was granted is nobody's
                if self._attempt is not None:
                    self._attempt.abandon(self.connections.session.send_later)

    def _set(self) -> None:
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def _wait(self, until: float | None) -> None:
        loop = self.port.loop
        self._future = future = loop.create_future()
        if until is None:
            await future
            return
        timer = loop.call_later(max(0.0, until - time.monotonic()), self._set)
        try:
            await future
        finally:
            timer.cancel()

    def hand_over(self, command: Command) -> None:
        """Send a command whose reply nobody waits for."""
        self.port.hand_over(command)

    async def finish(self, command: Command) -> None:
        """Send a command and wait for its answer, as long as the server can be reached."""
        pending = self.connections.session.ledger.enter(command, lambda _: self._wake())
        self._woken = False
        await self._connect_and_post(pending, time.monotonic())
        if not self._woken:
            await self._wait(time.monotonic() + self.connections.session.deadline.ttl)


class TrioDriver:
    """Carries out steps in a trio task: its commands go through the threads' connection, from worker threads."""

    def __init__(self, connections: Connections) -> None:
        from trio.lowlevel import current_task, current_trio_token

        self.connections = connections
        self.task: object = current_task()
        self._token = current_trio_token()
        self._holder = holder_word(connections.pid, current_task().name)
        self._woken = anyio.Event()

    async def attempt(self, attempt: Attempt) -> Stake:
        """Run an attempt; whatever interrupts it leaves nothing behind."""
        attempt.wake, attempt.holder = partial(self._soon, self._wake), self._holder
        port = self.connections.threads()
        try:
            steps = attempt.run()
            while True:
                step = next(steps)
                if isinstance(step, Send):
                    await to_thread.run_sync(port.run, step.pending, step.give_up, abandon_on_cancel=True)
                else:
                    await self._wait(step.until)
        except StopIteration as stop:
            stake: Stake = stop.value
            return stake
        except BaseException:
            attempt.abandon(port.post)
            raise

    def body(self, stake: Stake) -> TrioBody:
        """Return the body that runs with a stake."""
        return TrioBody(stake, self._soon)

    def _wake(self) -> None:
        self._woken.set()

    async def _wait(self, until: float | None) -> None:
        left = None if until is None else max(0.0, until - time.monotonic())
        with anyio.move_on_after(left):
            await self._woken.wait()
        self._woken = anyio.Event()

    def hand_over(self, command: Command) -> None:
        """Send a command whose reply nobody waits for."""
        self.connections.threads().post(command)

    async def finish(self, command: Command) -> None:
        """Send a command and wait for its answer, as long as the server can be reached."""
        await to_thread.run_sync(ThreadDriver(self.connections).finish, command, abandon_on_cancel=True)

    def _soon(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is over: nobody waits any more
            self._token.run_sync_soon(callback)
