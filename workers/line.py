"""Line: how a worker's event loop sends commands of its session and hears the answers. No run is known here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident

from semaphores.connections import Connections
from semaphores.errors import ServerUnavailable
from semaphores.scripts.answers import error_of
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Command
from semaphores.session.ledger import AwaitingRun, Pending

__all__ = ["Line"]

RETRY = 0.1  # seconds between two tries to connect


class Line:
    """Commands of one session from one asyncio loop. Without a connection the session's keeper sends them."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.session = connections.session
        self.loop = asyncio.get_running_loop()
        self.port = connections.loop(self.loop)
        self._thread = get_ident()

    async def open(self, patience: float) -> None:
        """Connect. Raises ServerUnavailable when the server cannot be reached for `patience` seconds."""
        give_up = self.loop.time() + patience
        while not self.port.ready:
            try:
                await self.port.connect()
            except ServerUnavailable:
                if self.loop.time() >= give_up:
                    raise
                await asyncio.sleep(RETRY)

    def soon(self, callback: Callable[[], object]) -> None:
        """Run something in the loop: at once when called from it, else as soon as it turns."""
        if get_ident() == self._thread:
            callback()
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(callback)

    def post(self, command: Command, deliver: Callable[[Answer], None] | None = None) -> None:
        """Send a command; `deliver` is told its answer, in the loop. What one turn of the loop posts is one call."""
        told = None if deliver is None else lambda answer: self.soon(lambda: deliver(answer))
        self._send(self.session.ledger.enter(command, told))

    def post_take(self, request: AwaitingRun) -> None:
        """Ask for a run; the request is woken when it has an outcome."""
        self._send(self.session.ask_for(request))

    async def ask(self, command: Command) -> Answer:
        """Send a command and return its answer. Raises Refused or ServerError where the server says no."""
        answer: asyncio.Future[Answer] = self.loop.create_future()

        def deliver(told: Answer) -> None:
            if not answer.done():
                answer.set_result(told)

        self.post(command, deliver)
        found = await answer
        if found["answer"] in ("refused", "failed"):
            raise error_of(found)
        return found

    def _send(self, pending: Pending) -> None:
        if self.port.ready:
            self.port.post(pending)
            return
        pending.sent = None
        self.session.on_trouble()
        if self.port.may_try:
            self._reconnect()

    def _reconnect(self) -> None:
        async def again() -> None:
            with suppress(ServerUnavailable):  # the keeper goes on, and the next command tries again
                await self.port.connect()

        self._connecting = self.loop.create_task(again())  # kept: a loop holds its tasks weakly
