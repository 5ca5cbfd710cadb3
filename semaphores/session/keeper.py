"""Keeper: the thread that keeps a session alive. It beats, listens for pushed grants, watches the deadline, and sends
again what a connection or a loop left unanswered.

It has connections of its own and never waits for one longer than the deadline allows, so a blocked event loop keeps its
leases and a dead server loses them in time.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgpack

from semaphores.errors import ServerError, ServerUnavailable
from semaphores.names import wake_channel
from semaphores.scripts.answers import run_of
from semaphores.scripts.call import Trouble, pack_command, read_reply, trouble_of
from semaphores.session.deadline import beat_interval
from semaphores.session.process import all_gone
from semaphores.session.session import Sent, Session
from semaphores.transport.url import Endpoint
from semaphores.transport.wire import ErrorReply, Wire

__all__ = ["Keeper"]

CONNECT = 2.0  # seconds at most for a step of connecting, less where T is short
RETRY = 0.1  # seconds between two tries to connect
MOST_AGAIN = 200  # commands sent again with one beat


class Keeper:
    """Runs from the first lease or wait until `stop`."""

    def __init__(self, session: Session, endpoint: Endpoint, look: Callable[[], None] = lambda: None) -> None:
        self.session = session
        self._look = look  # called at each turn, at least once a second, while something waits
        self.endpoint = endpoint
        self.beats = 0  # for tests and the curious
        self._hear, self._nudge = socket.socketpair()
        self._hear.setblocking(False)
        self._nudge.setblocking(False)
        self._nudged = False
        self._stopping = False
        self._beat_wire: Wire | None = None
        self._wake_wire: Wire | None = None
        self._woken_for = ""
        self._woken_epoch = 0
        self._sent: tuple[Sent, float] | None = None
        self._due = 0.0
        self._not_before = 0.0
        self._everything = False
        self._epoch = 0
        self._relief = False
        session.on_trouble = self.nudge
        self._thread = threading.Thread(target=self._run, name="semaphores-session", daemon=True)
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="semaphores-deadline", daemon=True)

    def __repr__(self) -> str:
        return f"<Keeper of {self.session}, {self.beats} beats>"

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()
        self._watcher.start()

    def nudge(self) -> None:
        """Have the next beat go at once; safe from any thread, and cheap when it was asked for already."""
        if not self._nudged:
            self._nudged = True
            with suppress(OSError):  # full: it is awake; closed: it is over
                self._nudge.send(b"!")

    def stop(self) -> None:
        """End the threads."""
        self._stopping = True
        self._over.set()
        self._nudged = False
        self.nudge()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def disown(self) -> None:
        """In a forked child: close this process's copies of the sockets and leave everything else to the parent."""
        for wire in (self._beat_wire, self._wake_wire):
            if wire is not None:
                wire.close()
        self._hear.close()
        self._nudge.close()

    def _watch(self) -> None:
        """Lose the leases at D, whatever the other thread waits for just then: a name, a handshake, a full socket."""
        deadline = self.session.deadline
        pause = 0.0
        while not self._over.wait(pause):
            self.session.check()
            pause = min(1.0, deadline.ttl / 10)
            if deadline.started:
                pause = min(pause, deadline.left() + 0.001)

    def _run(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            self._guarded(self._listen)
            if now >= self._due and self._sent is None and now >= self._not_before:
                self._guarded(self._beat)
            self._overdue()
            if self.session.ledger.awaited:
                self._look()
            self._wait()
        for wire in (self._beat_wire, self._wake_wire):
            if wire is not None:
                wire.close()
        self._hear.close()
        self._nudge.close()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ServerError:  # also one that another server, found after a failover, lacks what we rely on
            self._drop_beat()
            self._not_before = time.monotonic() + RETRY

    # waiting for the next thing

    def _wait(self) -> None:
        wires = [wire for wire in (self._beat_wire, self._wake_wire) if wire is not None and wire.fileno() >= 0]
        poll = select.poll()
        for descriptor in (self._hear.fileno(), *(wire.fileno() for wire in wires)):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(self._timeout() * 1000)}
        if self._hear.fileno() in ready:
            self._nudged = False
            self._hear.recv(64)
            self._due = 0.0
        for wire in wires:
            if wire.fileno() in ready:
                self._guarded(self._read_beat if wire is self._beat_wire else self._read_wake)

    def _timeout(self) -> float:
        now = time.monotonic()
        moments = [min(1.0, self.session.deadline.ttl / 10)]
        if self.session.deadline.started:
            moments.append(self.session.deadline.left() + 0.001)
        if self._sent is None:
            moments.append(max(self._due, self._not_before) - now)
        return max(0.0, min(moments))

    def _connect(self) -> Wire:
        # a step that takes longer than a beat may was swallowed: another try is worth more than waiting for it
        patience = min(CONNECT, max(0.25, self.session.deadline.ttl / 6))
        return Wire(self.endpoint, self.session.settings.prefix + "meta", patience)

    # beats

    def _beat(self) -> None:
        if self._beat_wire is not None and self._epoch and self.session.epoch > self._epoch:
            self._drop_beat()  # of an older epoch
            self._everything = True
        if self._beat_wire is None:
            self._beat_wire = self._connect()
            self._epoch = 0
        session = self.session
        if not session.wanted:
            self._due = time.monotonic() + session.deadline.ttl / 6  # nothing to keep alive
            return
        gone = {name: pids for name, pids in session.neighbours.items() if all_gone(pids)}
        again = session.ledger.stale(time.monotonic() - session.deadline.ttl / 4)[:MOST_AGAIN]
        if self._relief:
            again = [item for item in again if not item.command.admits]
        moment = time.monotonic()
        for item in again:
            item.sent = moment
        everything = self._everything or session.returning
        function = "relief" if self._relief else "call"
        sent = session.beat_call(self._beat_wire.server, everything, gone, again, function)
        self._beat_wire.send(sent.data)
        self._sent = (sent, moment)
        self._everything = False
        self.beats += 1
        self._due = moment + beat_interval(session.deadline.ttl, bool(session.ledger.awaited))

    def _read_beat(self) -> None:
        wire = self._beat_wire
        if wire is None:
            return
        for reply in wire.received():
            if self._sent is None:
                continue
            sent, _ = self._sent
            self._sent = None
            if isinstance(reply, bytes):
                self._relief = False
                self._received(sent, reply)
            elif isinstance(reply, ErrorReply):
                self._trouble(sent, wire, str(reply))

    def _received(self, sent: Sent, packed: bytes) -> None:
        reply = read_reply(packed)
        if self._epoch and reply.epoch != self._epoch:
            self._everything = True
            self._due = 0.0
        self._epoch = reply.epoch
        self.session.neighbours = {i: p for i, p in self.session.neighbours.items() if not all_gone(p)}
        run = self.session.receive(sent, reply)
        if not run:
            for item in sent.items:
                item.sent = None
        if reply.more or not run:
            self._due = 0.0

    def _trouble(self, sent: Sent, wire: Wire, error: str) -> None:
        for item in sent.items:
            item.sent = None
        trouble = trouble_of(error)
        if trouble is Trouble.LOAD:
            wire.load()
            self._due = 0.0
        elif trouble is Trouble.MEMORY:
            self._relief, self._due = True, 0.0
        else:
            raise ServerUnavailable(error)

    def _overdue(self) -> None:
        """A beat without an answer: the connection may be dead, so it goes again on another."""
        if self._sent is not None and time.monotonic() - self._sent[1] > max(0.2, self.session.deadline.ttl / 6):
            self._drop_beat()

    def _drop_beat(self) -> None:
        if self._sent is not None:
            for item in self._sent[0].items:
                item.sent = None
            self._sent = None
        if self._beat_wire is not None:
            self._beat_wire.close()
            self._beat_wire = None
        self._due = 0.0

    # wakes

    def _listen(self) -> None:
        """Open the wake connection when something waits, for the session as it is called now."""
        session = self.session
        wire = self._wake_wire
        older = self._woken_epoch and session.epoch > self._woken_epoch  # it may lead to a primary of the past
        if wire is not None and (wire.fileno() < 0 or self._woken_for != session.id or older):
            wire.close()
            self._wake_wire, session.listening = None, False
        if self._wake_wire is None and session.ledger.awaited and time.monotonic() >= self._not_before:
            wire = self._connect()
            self._woken_for, self._woken_epoch = session.id, session.epoch
            wire.send(pack_command(b"SSUBSCRIBE", wake_channel(session.settings.prefix, session.id).encode()))
            wire.receive()
            self._wake_wire, session.listening = wire, True
            self._due = 0.0

    def _read_wake(self) -> None:
        wire = self._wake_wire
        if wire is None:
            return
        try:
            messages = wire.received()
        except ServerUnavailable:
            self._wake_wire, self.session.listening = None, False
            self._due = 0.0
            return
        for message in messages:
            if isinstance(message, list) and message[0] == b"smessage":
                told = msgpack.unpackb(message[2], unicode_errors="surrogateescape")
                # a replica delivers what the primary counted as 0
                if told["server"] == wire.server and self._woken_for == self.session.id:
                    self._told(told)

    def _told(self, told: dict[str, object]) -> None:
        n = int(str(told["n"]))
        if "token" in told:
            self.session.grant(n, str(told["token"]), run_of(told))
        elif "revoked" in told:
            self.session.revoke(n, str(told["revoked"]))
        elif "canceling" in told:
            self.session.cancel(n, str(told["canceling"]))
        elif "failed" in told:
            self._due = 0.0  # the beat finds it unknown, and it is sent again to be refused with its reason
