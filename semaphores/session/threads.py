"""Threads: the port through which all threads of a process share one connection.

Who finds nobody writing and reading does it for all, until its own answer is there, and hands the turn on. Commands
that collect meanwhile go out together: a few in the next call, many while the server still runs the last one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from threading import Lock, get_ident

from semaphores.errors import ServerError, ServerUnavailable
from semaphores.scripts.call import Trouble, read_reply, trouble_of
from semaphores.scripts.commands import Command
from semaphores.scripts.compose import locate
from semaphores.session.ledger import Pending
from semaphores.session.session import Sent, Session
from semaphores.session.troubles import ask_function, out_of_memory, refuse
from semaphores.session.turn import Turn, awaited
from semaphores.transport.url import Endpoint
from semaphores.transport.wire import ErrorReply, Wire

__all__ = ["LAST_CALL", "PATIENCE", "PAUSE", "ThreadPort", "ask_function", "out_of_memory", "refuse"]

PATIENCE = 5.0  # seconds a process that never reached the server tries before it says so
PAUSE = 0.05  # seconds between two tries while the server is away
GLANCE = 0.2  # seconds to wait for replies that only others need
LAST_CALL = 1.0  # seconds for the last replies when the process ends
UNREAD = 32  # replies to handed-over releases that may stay unread
BATCH = 32  # commands in one call: the server runs the next one while threads wake up for the answers of this one


class ThreadPort:
    """Sends commands of one session for the threads of this process."""

    def __init__(self, session: Session, endpoint: Endpoint) -> None:
        self.session = session
        self.endpoint = endpoint
        self._opened = False
        self._lock = Lock()
        self._led = False
        self._queue: deque[Pending] = deque()
        self._turns: dict[Turn, None] = {}  # who waits, first come first
        self._reader = 0  # the thread that reads now
        self._answered: list[Turn] = []  # by what it read
        self._unread: deque[Sent] = deque()
        self._wire: Wire | None = None
        self._epoch = 0
        self._unloaded = False  # the server forgot the library
        self._giving: list[Pending] = []  # what a server without memory is still to take back

    def __repr__(self) -> str:
        return f"<ThreadPort {self._wire or 'closed'}, {len(self._queue)} queued, {len(self._unread)} unread>"

    @property
    def reached(self) -> bool:
        """Whether this process ever reached the server."""
        return self._opened or self.session.epoch > 0

    def post(self, command: Command) -> None:
        """Hand a command over without waiting for its reply."""
        pending = self.session.ledger.enter(command)
        pending.sent = time.monotonic()
        with self._lock:
            self._queue.append(pending)
            if self._led:
                return  # whoever leads takes it along
            self._led = True
        try:
            self._write()
            self._read_some()
        except ServerError:
            self._break()
        except BaseException:
            self._break()  # an interrupt may stand between a reply and its note: no later one may take its place
            raise
        finally:
            self._hand_on()

    def run(self, pending: Pending, give_up: float) -> None:
        """Send a command and return when its answer was delivered, or its session is over.

        `give_up` is a moment on the monotonic clock after which a server that cannot be reached is no longer tried.
        Raises ServerUnavailable if it never was reached; otherwise the keeper goes on.
        """
        pending.sent = time.monotonic()
        turn = Turn(pending, self._answer)
        with self._lock:
            self._queue.append(pending)
            lead = not self._led
            self._led = True
            if not lead:
                self._turns[turn] = None
        if lead:
            self._lead_and_hand_on(turn, pending, give_up)
        else:
            self._follow(turn, pending, give_up)
        if not turn.answered and not self.reached and time.monotonic() >= give_up:
            raise ServerUnavailable(
                f"cannot reach {self.endpoint.redacted}: is the server running, and is its URL right?"
            )

    def _follow(self, turn: Turn, pending: Pending, give_up: float) -> None:
        """Wait for the answer, or for the turn to lead; whatever interrupts this must not keep the lead."""
        interrupted = True
        try:
            turn.gate.acquire(timeout=max(0.0, give_up - time.monotonic()))
            interrupted = False
        finally:
            with self._lock:
                self._turns.pop(turn, None)
            if turn.leads and interrupted:
                self._hand_on()
        if turn.leads:
            self._lead_and_hand_on(turn, pending, give_up)

    def _lead_and_hand_on(self, turn: Turn, pending: Pending, give_up: float) -> None:
        try:
            self._lead(turn, pending, give_up)
        except ServerError:
            raise
        except BaseException:
            self._break()
            raise
        finally:
            self._hand_on()

    def disown(self) -> None:
        """Close this process's copy of the socket, and nothing else, as a forked child must."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    # one thread at a time is in here: the one that leads

    def _lead(self, turn: Turn, pending: Pending, give_up: float) -> None:
        failures = 0
        while not turn.answered and self.session.ledger.unanswered.get(pending.n) is pending:
            try:
                if pending.sent is None:  # its connection broke
                    with self._lock:
                        self._queue.appendleft(pending)
                self._connected(give_up)
                if len(self._queue) >= BATCH // 2 or not any(map(awaited, self._unread)):
                    self._write()  # few commands wait for the reply to the call under way: more of them come meanwhile
                if not self._unread:
                    return  # the keeper has it
                self._read(give_up, turn)
            except ServerUnavailable:
                self._break()
                failures += 1
                if self.reached and failures > 1:
                    return  # the keeper sends it again until its session is over
                if not self.reached and time.monotonic() >= give_up:
                    raise
                time.sleep(0 if self.reached else PAUSE)
            if self.reached and time.monotonic() >= give_up:
                return  # its reply is still to come, and the keeper goes on

    def _hand_on(self) -> None:
        while True:
            with self._lock:
                while self._turns:
                    following = next(iter(self._turns))
                    del self._turns[following]
                    following.leads = not following.answered
                    following.open()
                    if following.leads:
                        return
                if not self._queue:
                    self._led = False
                    return
            try:
                self._write()  # handed over while this thread was reading
                self._read_some()
            except ServerError:
                self._break()
            except BaseException:
                self._break()
                self._hand_on()  # the interrupt ends what this thread does, not the turns of the others
                raise

    def _connected(self, give_up: float) -> Wire:
        """Raises ServerUnavailable also where a connection is to be given up first, with what is on its way there."""
        if self._wire is not None and self._epoch and self.session.epoch > self._epoch:
            raise ServerUnavailable(f"{self.endpoint.redacted} may be primary no more: it is of an older epoch")
        if self._wire is None:
            if self._unread:  # closed under whoever leads: on a new one, other replies would be taken for these
                raise ServerUnavailable(f"the connection to {self.endpoint.redacted} was closed")
            left = max(0.05, min(2.0, give_up - time.monotonic()))
            self._wire = Wire(self.endpoint, self.session.settings.prefix + "meta", left)
            self._wire.bound(self._patience)
            self._opened = True
            self._epoch = 0
        return self._wire

    def _write(self) -> None:
        while self._queue:
            wire = self._connected(time.monotonic() + 2.0)
            items: list[Pending] = []
            with self._lock:
                while self._queue and len(items) < BATCH:
                    items.append(self._queue.popleft())
            sent = self.session.call(items, wire.server)
            moment = time.monotonic()
            for item in items:
                item.sent = moment
            self._unread.append(sent)
            wire.send(sent.data)

    @property
    def _patience(self) -> float:
        """Seconds after which a connection without a reply counts as broken; the keeper sends again as early."""
        return max(0.25, self.session.deadline.ttl / 4)

    def _read_some(self) -> None:
        """Read what nobody waits for, where a grant to a waiter of this process may be in it, or too much piles up."""
        if self.session.ledger.awaited or len(self._unread) >= UNREAD:
            self._read(time.monotonic() + GLANCE)

    def _answer(self, turn: Turn) -> None:
        """Wake a thread whose answer is there; once all that came with it is read, else it gets in the way of that."""
        if self._reader == get_ident():
            self._answered.append(turn)
        else:
            turn.open()

    def _read(self, until: float, turn: Turn | None = None) -> None:
        """Read what is due, until a moment on the monotonic clock; for a turn, up to a reply that is waited for."""
        self._reader = get_ident()
        try:
            self._read_due(until, turn)
        finally:
            self._reader = 0
            answered, self._answered = self._answered, []
            for one in answered:
                one.open()

    def _read_due(self, until: float, turn: Turn | None) -> None:
        for _ in range(len(self._unread)):
            wire, sent = self._wire, self._unread[0]
            if wire is None:
                return
            try:
                reply = wire.receive(until)
            except TimeoutError:
                if self.session.deadline.now() - sent.at < self._patience:
                    return
                raise ServerUnavailable(f"{self.endpoint.redacted} did not answer") from None
            self._unread.popleft()
            if isinstance(reply, ErrorReply):
                self._trouble(sent, str(reply))
            elif isinstance(reply, bytes):
                self._received(sent, reply)
            if turn is not None and not self._unloaded and not self._giving and awaited(sent):
                return  # the threads that go on now have more to write
        if self._unloaded and self._wire is not None and not self._unread:
            self._unloaded = False
            self._wire.load()
        if self._giving and self._wire is not None and not self._unread:
            giving, self._giving = self._giving, []
            self._relieve(giving, self._wire)

    def _received(self, sent: Sent, packed: bytes) -> None:
        reply = read_reply(packed)
        self._epoch = reply.epoch
        if not self.session.receive(sent, reply):
            self._queue_again(sent)
        if reply.more:
            self.session.on_trouble()

    def _queue_again(self, sent: Sent) -> None:
        with self._lock:
            self._queue.extendleft(reversed(sent.items))

    def _trouble(self, sent: Sent, error: str) -> None:
        trouble = trouble_of(error)
        if trouble is Trouble.LOAD:
            self._unloaded = True
            self._queue_again(sent)
            return
        if trouble is Trouble.MEMORY:
            refuse(self.session, [item for item in sent.items if item.command.admits], out_of_memory())
            self._giving += [item for item in sent.items if not item.command.admits]
            return
        if trouble is Trouble.FATAL:
            refuse(self.session, sent.items, ServerError(locate(error)))
            return
        self._queue_again(sent)
        raise ServerUnavailable(f"{self.endpoint.redacted}: {error}")

    def _relieve(self, giving: Sequence[Pending], wire: Wire) -> None:
        """Give back through the function that also runs without memory; no other reply may be due then."""
        sent = self.session.call(giving, wire.server, function="relief")
        packed = ask_function(wire, sent.data)
        if isinstance(packed, bytes):
            self._received(sent, packed)

    def _break(self) -> None:
        """The connection broke: the keeper sends what was on its way again, and whoever leads its own."""
        self.disown()
        with self._lock:
            broken = [*self._giving, *(item for sent in self._unread for item in sent.items), *self._queue]
            self._unread.clear()
            self._queue.clear()
        self._giving = []
        for item in broken:
            item.sent = None
        self.session.on_trouble()
