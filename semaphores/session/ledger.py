"""Ledger: the books of one session: numbered commands without an answer, what it awaits, what it holds.

Every change is one step under one lock, without I/O; wake-ups happen after it. A command gets its N when it is entered,
so the mark is the lowest over everything unanswered, queued or sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from semaphores.errors import SemaphoresError
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Acquire, Beat, Cancel, Command, encode
from semaphores.scripts.run_commands import Take

__all__ = ["Awaiting", "AwaitingRun", "Holding", "Ledger", "Pending"]

WINDOW = 1000  # numbers in one beat command; the server lists them in one read
MOST_WINDOWS = 12  # in one beat


@dataclass(slots=True, eq=False)
class Pending:
    """A numbered command without an answer."""

    n: int
    command: Command
    encoded: bytes
    deliver: Callable[[Answer], None] | None  # called once, from the thread that read the answer
    sent: float | None  # when it was entered or last went out, on the monotonic clock; None: its connection broke


@dataclass(slots=True, eq=False)
class Holding:
    """A granted request."""

    session: str
    n: int
    token: str
    needs: str
    holder: str
    since: float  # seconds since 1970
    run: Mapping[str, str] | None = None  # the run that a take got, its fields by name
    lost: str | None = None  # why it is not held any more, though nobody released it
    canceling: str | None = None  # who asked for its run to be canceled
    finishing: bool = False  # its end is on its way: a server that does not know it any more has heard of that
    watchers: list[Callable[[], None]] = field(default_factory=list)  # told of either, from any thread

    @property
    def id(self) -> str:
        """The lease's id: SESSION/N."""
        return f"{self.session}/{self.n}"

    def lose(self, reason: str) -> None:
        """Note that it is lost, and tell whoever works on it."""
        if self.lost is None:
            self.lost = reason
            self._tell()

    def cancel(self, by: str) -> None:
        """Note that its run is to be canceled, and tell whoever works on it."""
        if self.canceling is None:
            self.canceling = by
            self._tell()

    def _tell(self) -> None:
        for watcher in list(self.watchers):
            watcher()


@dataclass(slots=True, eq=False)
class Awaiting:
    """A request that a live caller blocks on, from before it was sent until it has an outcome."""

    needs: str
    holder: str
    priority: int
    wake: Callable[[], None]  # safe from any thread; called once, when there is an outcome
    once: bool = False
    waits: Callable[[str], None] | None = None  # told which limit it waits for, from any thread
    n: int = 0
    asked: float = 0.0  # when it was first sent, on the monotonic clock
    order: str | None = None  # its place in line, kept when it is sent again
    blocked_by: str | None = None
    outcome: Holding | SemaphoresError | None = None
    given_up: bool = False

    def command(self) -> Acquire | Take:
        """Return what asks the server for it."""
        return Acquire(self.needs, self.holder, self.priority or None, self.order, True if self.once else None)


@dataclass(slots=True, eq=False)
class AwaitingRun(Awaiting):
    """A free seat of a worker that awaits a run. What it needs is known when it is granted: what the run needs."""

    queues: str = ""
    code: str = ""

    def command(self) -> Acquire | Take:
        """Return what asks the server for it."""
        return Take(self.queues, self.code, self.holder)


@dataclass(slots=True)
class Ledger:
    """The books. `lock` is held for single steps only."""

    session: str
    last: int = 0
    lock: Lock = field(default_factory=Lock)
    unanswered: dict[int, Pending] = field(default_factory=dict)
    awaited: dict[int, Awaiting] = field(default_factory=dict)
    held: dict[int, Holding] = field(default_factory=dict)
    _turn: int = 0

    def __repr__(self) -> str:
        return f"<Ledger {len(self.held)} held, {len(self.awaited)} awaited, {len(self.unanswered)} unanswered>"

    def enter(self, command: Command, deliver: Callable[[Answer], None] | None = None) -> Pending:
        """Number a command."""
        with self.lock:
            return self._number(command, deliver)

    def enter_request(self, request: Awaiting, deliver: Callable[[Awaiting, int, Answer], None]) -> Pending:
        """Number a request and await it: a pushed grant can overtake the answer to its command.

        `deliver` is told the request and the number: whoever asked may be interrupted before this returns.
        """
        command = request.command()
        with self.lock:
            pending = self._number(command, partial(deliver, request, self.last + 1))
            request.n, request.asked = pending.n, request.asked or pending.sent or 0.0
            self.awaited[pending.n] = request
            return pending

    def _number(self, command: Command, deliver: Callable[[Answer], None] | None) -> Pending:
        self.last += 1
        pending = Pending(self.last, command, encode(command, self.last), deliver, time.monotonic())
        self.unanswered[self.last] = pending
        return pending

    def mark(self) -> int:
        """Return the lowest N without an answer."""
        with self.lock:
            return self._mark()

    def _mark(self) -> int:
        return next(iter(self.unanswered), self.last + 1)

    def answered(self, pendings: Sequence[Pending]) -> None:
        """Note that commands have their answers: the mark may rise."""
        with self.lock:
            for pending in pendings:
                self.unanswered.pop(pending.n, None)

    def granted(self, n: int, token: str, since: float, run: Mapping[str, str] | None = None) -> Awaiting | None:
        """Move a request from awaited to held and return it; None if nobody awaits it (any more)."""
        with self.lock:
            request = self.awaited.pop(n, None)
            if request is not None:
                needs = request.needs if run is None else run["words"]
                holding = Holding(self.session, n, token, needs, request.holder, since, run)
                self.held[n] = holding
                request.outcome = holding
            return request

    def settled(self, n: int, error: SemaphoresError) -> Awaiting | None:
        """Give a request an error for its outcome and return it; None if nobody awaits it."""
        with self.lock:
            request = self.awaited.pop(n, None)
            if request is not None:
                request.outcome = error
            return request

    def give_up(self, request: Awaiting) -> bool:
        """Stop awaiting; False when it has its outcome already."""
        with self.lock:
            request.given_up = True
            return self.awaited.pop(request.n, None) is not None

    def let_go(self, holding: Holding) -> bool:
        """Stop holding; False when it was not held any more."""
        with self.lock:
            return self.held.pop(holding.n, None) is not None

    def stale(self, before: float) -> list[Pending]:
        """Return what was never sent, whose connection broke, or what was sent before a moment and got no answer."""
        with self.lock:
            return [pending for pending in self.unanswered.values() if pending.sent is None or pending.sent < before]

    def beats(self, config: int, everything: bool, host: str | None, gone: Mapping[str, str]) -> tuple[int, list[Beat]]:
        """Return the mark and the windows of one beat, read together."""
        with self.lock:
            mark, held = self._mark(), self.held
            # and what a cancel on its way is about: its answer says what blocked that, so the beat must leave it
            cancels = [each.command.request for each in self.unanswered.values() if isinstance(each.command, Cancel)]
            awaited = {*self.awaited, *cancels} - held.keys()
            numbers = sorted([*held, *awaited])
            chunks = [numbers[i : i + WINDOW] for i in range(0, len(numbers), WINDOW)] or [[]]
            bounds = [0, *(chunk[0] for chunk in chunks[1:]), self.last + 1]
            beats = [
                Beat(
                    bounds[i],
                    bounds[i + 1] - 1,
                    [n for n in chunk if n in held],
                    [n for n in chunk if n in awaited],
                    config,
                    host if i == 0 else None,
                    dict(gone) or None if i == 0 else None,
                )
                for i, chunk in enumerate(chunks)
            ]
        if len(beats) <= MOST_WINDOWS or everything:
            return mark, beats
        asking = [beat for beat in beats if beat.awaited]  # each time: a grant whose message was lost is found here
        others = [beat for beat in beats if not beat.awaited]
        if len(asking) >= MOST_WINDOWS:
            asking, others = [], beats  # more than one beat carries: all in turn
        room = MOST_WINDOWS - len(asking)
        first = self._turn % len(others)
        self._turn += room
        return mark, [*asking, *[*others[first:], *others[:first]][:room]]

    def waiting(self) -> list[Awaiting]:
        """Return what is awaited now."""
        with self.lock:
            return list(self.awaited.values())

    def holdings(self) -> Iterator[Holding]:
        """Return what is held now."""
        with self.lock:
            return iter(list(self.held.values()))
