"""Connections: one process in one namespace on one server: its session, keeper and ports. It runs commands, no more.

Invariant: nothing is opened before it is needed: a single errand uses one connection and no thread.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import time
import weakref
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TypeVar

from semaphores.blocked import BlockedLog
from semaphores.errors import ServerError, ServerUnavailable
from semaphores.names import key_prefix
from semaphores.scripts.answers import error_of
from semaphores.scripts.asking import decode_reply, encode_question
from semaphores.scripts.call import Answer, function_words, pack_command, read_reply
from semaphores.scripts.commands import Command, End
from semaphores.session.keeper import Keeper
from semaphores.session.loops import LoopPort
from semaphores.session.session import Session, Settings
from semaphores.session.threads import LAST_CALL, PATIENCE, PAUSE, ThreadPort, ask_function
from semaphores.transport.url import Endpoint
from semaphores.transport.wire import ErrorReply, Wire
from semaphores.wording import readable

__all__ = ["Connections"]

T = TypeVar("T")
_log = logging.getLogger("semaphores")

ERRAND_TIMEOUT = 5.0  # seconds for one exchange of an errand


class Connections:
    """Everything between this process and its namespace."""

    def __init__(self, endpoint: Endpoint, namespace: str, settings: Settings) -> None:
        self.endpoint = endpoint
        self.namespace = namespace
        self.settings = settings
        self.prefix = key_prefix(namespace)
        self._open(Session(settings))
        _all.add(self)

    def __repr__(self) -> str:
        return f"<Connections to namespace {self.namespace!r} on {self.endpoint.redacted}>"

    def _open(self, session: Session) -> None:
        self.pid = os.getpid()
        self.session = session
        self.session.on_unlimited = _warn
        self._threads: ThreadPort | None = None
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopPort] = weakref.WeakKeyDictionary()
        self._latest: LoopPort | None = None
        self._keeper: Keeper | None = None
        self._errands: Wire | None = None
        self._errand_lock = Lock()
        self._lock = Lock()

    # for leases

    def threads(self) -> ThreadPort:
        """Return the port of this process's threads, the keeper running."""
        port = self._threads
        if port is None:
            with self._lock:
                port = self._threads = self._threads or ThreadPort(self.session, self.endpoint)
        self._keep()
        return port

    def loop(self, loop: asyncio.AbstractEventLoop) -> LoopPort:
        """Return the port of the running asyncio loop, the keeper running."""
        port = self._latest
        if port is not None and port.loop is loop:
            return port
        with self._lock:
            port = self._loops.get(loop)
            if port is None:
                for closed in [known for known in self._loops if known.is_closed()]:
                    self._loops.pop(closed).drop()  # asyncio.run() ends without telling us
                port = self._loops[loop] = LoopPort(self.session, self.endpoint, loop)
            self._latest = port
        self._keep()
        return port

    @property
    def reached(self) -> bool:
        """Whether any port ever reached the server."""
        return bool(
            self.session.epoch
            or (self._threads and self._threads.reached)
            or any(port.reached for port in list(self._loops.values()))
        )

    def _keep(self) -> None:
        if self._keeper is None:
            with self._lock:
                if self._keeper is None:
                    self._keeper = Keeper(self.session, self.endpoint, BlockedLog(self.session, self.ask).look)
                    self._keeper.start()

    # errands: one command or question, without a session of this process

    def command(self, command: Command, patience: float = PATIENCE) -> Answer:
        """Run one command in a session of its own, begun and ended in the same call. Raises ServerUnavailable."""

        def exchange(wire: Wire) -> Answer:
            packed = ask_function(wire, self.session.one_shot(command, wire.server))
            if not isinstance(packed, bytes):
                raise ServerError("the server answered a call with something else than a reply")
            reply = read_reply(packed)
            self.session.saw(reply)  # so that data lost later is noticed, and `init` is believed once only
            if reply.lost:  # its session did not begin: a right is missing, or a key has the wrong type
                raise error_of(reply.answers[0]) if reply.answers else ServerError("the server began no session")
            answer: Answer = reply.answers[1]
            return answer

        return self._errand(exchange, patience)

    def ask(self, question: Mapping[str, object], function: str = "read", patience: float = PATIENCE) -> Answer:
        """Ask `read` or `repair` and return its reply. Raises ServerUnavailable."""
        data = pack_command(*function_words(function, self.prefix), encode_question(question))

        def exchange(wire: Wire) -> Answer:
            packed = ask_function(wire, data)
            return decode_reply(packed if isinstance(packed, bytes) else b"")

        return self._errand(exchange, patience)

    def plain(self, *words: str, patience: float = PATIENCE) -> object:
        """Run one plain command of the server (INFO, SCAN) and return its reply."""

        def exchange(wire: Wire) -> object:
            reply = wire.ask(*(word.encode() for word in words))
            if isinstance(reply, ErrorReply):
                raise ServerError(str(reply))
            return reply

        return self._errand(exchange, patience)

    def _errand(self, exchange: Callable[[Wire], T], patience: float) -> T:
        give_up = time.monotonic() + patience
        with self._errand_lock:
            while True:
                try:
                    if self._errands is None:
                        self._errands = Wire(self.endpoint, self.prefix + "meta", ERRAND_TIMEOUT)
                    return exchange(self._errands)
                except ServerUnavailable:
                    if self._errands is not None:
                        self._errands.close()
                        self._errands = None
                    if time.monotonic() >= give_up:
                        raise
                    time.sleep(PAUSE)

    # the end

    def _end_session(self) -> None:
        with contextlib.suppress(ServerError):  # its T ends it
            wire = Wire(self.endpoint, self.prefix + "meta", LAST_CALL)
            try:
                sent = self.session.call([self.session.ledger.enter(End())], wire.server)
                ask_function(wire, sent.data)
            finally:
                wire.close()

    def close(self) -> None:
        """Give back all that this process holds here, and close. Within 2 s."""
        if self.pid != os.getpid():
            return
        self.session.close()  # who still works or waits is told before the server, which gives the slots away
        if self._keeper is not None:
            self._keeper.stop()
            self._keeper = None
        if self._threads is not None:
            self._threads.disown()  # whoever writes and reads there for all finds it closed, and that it is over
        if self.session.begun:
            self._end_session()
        for port in list(self._loops.values()):
            if not port.loop.is_closed():
                port.abandon()
            else:
                port.drop()
        if self._errands is not None:
            self._errands.close()
        self._open(self.session.successor())

    def disown(self) -> None:
        """In a forked child: the parent's leases are not ours; close our copies of its sockets first of all."""
        if self._keeper is not None:
            self._keeper.disown()
        for port in (self._threads, *self._loops.values()):
            if port is not None:
                port.disown()
        if self._errands is not None:
            self._errands.close()
        self.session.disown()
        self._open(self.session.successor())


_all: weakref.WeakSet[Connections] = weakref.WeakSet()


def _warn(limit: str) -> None:
    _log.warning(
        "%s has no limit: nothing holds anybody back there; set one with 'semaphores pool set'",
        readable(limit),
        extra={"limit": limit},
    )


def _forked() -> None:
    for connections in list(_all):
        connections.disown()


def _leave() -> None:
    for connections in list(_all):
        connections.close()


os.register_at_fork(after_in_child=_forked)
atexit.register(_leave)
