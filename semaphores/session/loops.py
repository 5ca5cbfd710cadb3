"""Loops: the port of one asyncio event loop: its replies arrive as callbacks, so it needs no task of its own.

The flush is queued behind the wake-ups that a reply caused: all tasks run first, then one call carries what they want.
Two calls in flight let client and server work at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from threading import get_ident
from typing import cast

import hiredis
from anyio import to_thread

from semaphores.errors import ServerError, ServerUnavailable
from semaphores.scripts.call import Trouble, pack_command, read_reply, trouble_of
from semaphores.scripts.commands import Command
from semaphores.scripts.compose import library, locate
from semaphores.scripts.probe import judge_load
from semaphores.session.ledger import Pending
from semaphores.session.session import Sent, Session
from semaphores.session.threads import LAST_CALL, out_of_memory, refuse
from semaphores.transport.find import async_connection_to, find
from semaphores.transport.url import Endpoint
from semaphores.transport.wire import prove, server_id_in

__all__ = ["LoopPort"]

IN_FLIGHT = 2  # calls
CONNECT = 2.0  # seconds at most for connecting
CALL_SIZE = 50  # commands in a call while others are in flight; measured best between 50 and 100


class _Replies(asyncio.Protocol):
    """Feeds what arrives to a port."""

    def __init__(self, port: LoopPort) -> None:
        self._port = port

    def data_received(self, data: bytes) -> None:
        self._port.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.connection_lost(self)


class LoopPort:
    """Sends commands of one session for the tasks of one asyncio loop. Used from that loop only."""

    def __init__(self, session: Session, endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> None:
        self.session = session
        self.endpoint = endpoint
        self.loop = loop
        self.thread = get_ident()
        self.server = ""
        self.reached = False
        self._transport: asyncio.WriteTransport | None = None
        self._protocol: _Replies | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader = hiredis.Reader()
        self._queue: deque[Pending] = deque()
        self._flight: deque[Sent | asyncio.Future[object]] = deque()
        self._flushing = False
        self._loading = False  # the library: until it is there, nothing else is sent
        self._connecting: asyncio.Lock | None = None
        self._farewell: AsyncGenerator[None, None] | None = None
        self._epoch = 0
        self._tried = 0.0

    def __repr__(self) -> str:
        state = "open" if self._transport else "closed"
        return f"<LoopPort {state}, {len(self._queue)} queued, {len(self._flight)} calls in flight>"

    @property
    def ready(self) -> bool:
        """Whether commands can be posted without connecting first."""
        return self._transport is not None and self.session.epoch <= (self._epoch or self.session.epoch)

    def post(self, pending: Pending) -> None:
        """Queue a command; it goes out behind whatever this turn of the loop still does."""
        self._queue.append(pending)
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._flush)

    def hand_over(self, command: Command) -> None:
        """Queue a command that nobody waits for. Without a connection the keeper sends it."""
        if self._transport is None or self.loop.is_closed():
            self.session.send_later(command)
        else:
            self.post(self.session.ledger.enter(command))

    async def connect(self) -> None:
        """Open the connection. Raises ServerUnavailable."""
        if self._connecting is None:
            self._connecting = asyncio.Lock()
        async with self._connecting:
            if self.ready:
                return
            self.disconnect()
            self._tried = time.monotonic()
            try:
                async with asyncio.timeout(CONNECT):
                    await self._open()
            except TimeoutError:
                self.disconnect()
                raise ServerUnavailable(f"{self.endpoint.redacted} did not answer within {CONNECT:g} s") from None
            except BaseException:
                self.disconnect()  # half open is not open
                raise

    async def _open(self) -> None:
        found = await to_thread.run_sync(
            find, self.endpoint, self.session.settings.prefix + "meta", abandon_on_cancel=True
        )
        connection = await async_connection_to(self.endpoint, found)
        # redis-py opens it; from here on it is ours, and replies are read past its parser
        self._writer = cast(asyncio.StreamWriter, connection._writer)  # closes it with its last reference
        connection._writer = connection._reader = None
        transport = cast(asyncio.Transport, self._writer.transport)
        self._reader = hiredis.Reader()
        self._protocol = _Replies(self)
        transport.set_protocol(self._protocol)
        transport.resume_reading()
        self._transport = transport
        info = await self._ask(b"INFO", b"server")
        self.server = server_id_in(info) if isinstance(info, bytes) else ""
        await to_thread.run_sync(prove, self.endpoint, self.session.settings.prefix + "meta", self.server)
        self._epoch, self.reached = 0, True
        if self._farewell is None:
            self._farewell = self._until_the_loop_ends()
            await anext(self._farewell)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """A loop that ends closes its async generators: so what was handed over goes out, without a task of our own."""
        try:
            yield
        finally:
            await self.aclose()

    @property
    def may_try(self) -> bool:
        """Whether the last try to connect is long enough ago for another one to be worth its time."""
        return time.monotonic() - self._tried > 0.2

    def disconnect(self) -> None:
        """Close the connection; what was on its way goes again under the same numbers."""
        transport, self._transport, self._protocol = self._transport, None, None
        if transport is not None:
            transport.close()
        self._loading = False
        flight, self._flight = self._flight, deque()
        broken = list(self._queue)
        for one in flight:
            if isinstance(one, Sent):
                broken += one.items
            elif not one.done() and not self.loop.is_closed():
                one.set_exception(ServerUnavailable(f"{self.endpoint.redacted} closed the connection"))
        self._queue.clear()
        for item in broken:
            item.sent = None
        if broken:
            self.session.on_trouble()

    async def aclose(self) -> None:
        """Send what was handed over, wait for its replies, and close."""
        if self._transport is not None:
            self._flush()
            with contextlib.suppress(ServerUnavailable, TimeoutError):  # its T ends what the server did not hear
                async with asyncio.timeout(LAST_CALL):
                    await self._ask(b"PING")
        self.disconnect()

    def abandon(self) -> None:
        """Close the connection from outside its loop: the process or the client ends."""
        transport, self._transport, self._protocol = self._transport, None, None
        if transport is not None:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                self.loop.call_soon_threadsafe(transport.close)

    def drop(self) -> None:
        """Close the connection of a loop that was closed without it."""
        transport, self._transport, self._protocol = self._transport, None, None
        if transport is not None:
            with contextlib.suppress(RuntimeError):
                transport.abort()
            held = getattr(transport, "_sock", None)
            if held is not None:  # a closed loop closes nothing any more
                held.close()
                transport._sock = None  # type: ignore[attr-defined]
        self.disconnect()

    def disown(self) -> None:
        """In a forked child: close this process's copy of the socket, and nothing else."""
        transport, self._transport, self._protocol = self._transport, None, None
        held = transport.get_extra_info("socket") if transport is not None else None
        if held is not None and held.fileno() >= 0:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, held.fileno())  # the number stays taken: its socket closes it later
            os.close(nothing)

    async def _ask(self, *words: bytes) -> object:
        if self._transport is None:
            raise ServerUnavailable(f"{self.endpoint.redacted} closed the connection")
        answer: asyncio.Future[object] = self.loop.create_future()
        self._flight.append(answer)
        self._transport.write(pack_command(*words))
        return await answer

    def _flush(self) -> None:
        self._flushing = False
        transport = self._transport  # another thread may close the client just now
        if transport is None or not self._queue or self._loading:
            return
        if not self.ready:
            self.disconnect()  # of an older epoch: it may lead to a server that is primary no more
            return
        if len(self._flight) >= IN_FLIGHT and self._overdue(self._flight[0]):
            self.disconnect()  # nothing comes back any more; the keeper has sent it again already
            return
        queue = self._queue
        while queue and len(self._flight) < IN_FLIGHT:
            items = [queue.popleft() for _ in range(min(len(queue), CALL_SIZE))]
            sent = self.session.call(items, self.server)
            moment = time.monotonic()
            for item in items:
                item.sent = moment
            self._flight.append(sent)
            transport.write(sent.data)

    def _overdue(self, first: Sent | asyncio.Future[object]) -> bool:
        return isinstance(first, Sent) and self.session.deadline.now() - first.at > self.session.deadline.ttl / 4

    def data_received(self, data: bytes) -> None:
        """Take in what arrived; called by the transport."""
        self._reader.feed(data)
        reply = self._reader.gets()
        while reply is not False:
            self._replied(reply)
            reply = self._reader.gets()
        if not self._flushing:  # behind the wake-ups just caused: what these tasks want goes out in the same turn
            self._flushing = True
            self.loop.call_soon(self._flush)

    def connection_lost(self, protocol: asyncio.Protocol) -> None:
        """Note that the connection is gone; called by the transport."""
        if protocol is self._protocol:
            self.disconnect()

    def _replied(self, reply: object) -> None:
        if not self._flight:
            return
        sent = self._flight.popleft()
        if isinstance(sent, asyncio.Future):
            if not sent.done():
                sent.set_result(reply)
        elif isinstance(reply, bytes):
            self._received(sent, reply)
        elif isinstance(reply, hiredis.ReplyError):
            self._trouble(sent, str(reply))

    def _received(self, sent: Sent, packed: bytes) -> None:
        reply = read_reply(packed)
        self._epoch = reply.epoch
        if not self.session.receive(sent, reply):
            self._queue.extendleft(reversed(sent.items))
        if reply.more:
            self.session.on_trouble()

    def _trouble(self, sent: Sent, error: str) -> None:
        trouble = trouble_of(error)
        if trouble is Trouble.LOAD:
            self._again(sent.items)
            self._load()
        elif trouble is Trouble.MEMORY:
            self._relieve(sent.items)
        elif trouble is Trouble.FATAL:
            refuse(self.session, sent.items, ServerError(locate(error)))
        else:
            self._again(sent.items)
            self.disconnect()  # the keeper sends them until the server is itself again

    def _again(self, items: Sequence[Pending]) -> None:
        self._queue.extendleft(reversed(items))

    def _load(self) -> None:
        if self._transport is not None and not self._loading:
            self._loading = True
            loaded: asyncio.Future[object] = self.loop.create_future()
            loaded.add_done_callback(self._loaded)
            self._flight.append(loaded)
            self._transport.write(pack_command(b"FUNCTION", b"LOAD", library().text))

    def _loaded(self, loaded: asyncio.Future[object]) -> None:
        """Go on where the server took the library; where it never will, fail what needs it."""
        if loaded.exception():
            return  # disconnected meanwhile
        self._loading = False
        reply = loaded.result()
        try:
            judge_load(str(reply) if isinstance(reply, hiredis.ReplyError) else None)
            self._flush()
        except ServerUnavailable:
            self.disconnect()  # the keeper sends it until the server is itself again
        except ServerError as error:
            items = list(self._queue)
            self._queue.clear()
            refuse(self.session, items, error)

    def _relieve(self, items: Sequence[Pending]) -> None:
        refuse(self.session, [item for item in items if item.command.admits], out_of_memory())
        giving = [item for item in items if not item.command.admits]
        if giving and self._transport is not None:
            sent = self.session.call(giving, self.server, function="relief")
            self._flight.append(sent)
            self._transport.write(sent.data)
