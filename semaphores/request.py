"""Request: an acquire from its first command to a stake, written once as a generator, driven by threads and by loops.

It ends in one of four ways: granted, timed out, cancelled, or its session lost (then it is sent again by itself).
Whatever of it is half done when it ends otherwise is given back: `abandon` leaves nothing behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from semaphores.connections import Connections
from semaphores.errors import AcquireTimeout, SemaphoresError
from semaphores.lease import Loan, Stake
from semaphores.names import encode_needs
from semaphores.scripts.answers import timeout_of
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Cancel, Command, Release
from semaphores.session.ledger import Awaiting, Holding, Pending
from semaphores.session.threads import PATIENCE

__all__ = ["Attempt", "Demand", "Send", "Step", "Wait"]

LAST_WORD = 1.0  # seconds to wait for the answer that says what blocked a request that timed out


@dataclass(frozen=True)
class Demand:
    """What a caller asks for: slots by limit name, in the order in which limits are tried."""

    needs: Mapping[str, int]
    timeout: float | None = None  # seconds; None: for ever
    priority: int = 0
    blocking: bool = True
    waits: Callable[[str], None] | None = None  # told which limit it waits for, from any thread
    words: str = field(init=False)  # the needs as the server stores them

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", encode_needs(self.needs))


class Send(NamedTuple):
    """Send a command. `give_up`: when to stop trying a server that was never reached, on the monotonic clock."""

    pending: Pending
    give_up: float


class Wait(NamedTuple):
    """Wait until woken, or until a moment on the monotonic clock."""

    until: float | None


Step = Send | Wait
Steps = Generator[Step, None, None]


class Attempt:
    """One attempt to meet a demand. Its driver says who asks (`holder`) and how it is woken (`wake`)."""

    __slots__ = ("connections", "demand", "holder", "loans", "request", "session", "stakes", "started", "wake")

    holder: str
    wake: Callable[[], None]

    def __init__(self, connections: Connections, demand: Demand, stakes: tuple[Stake, ...]) -> None:
        self.connections = connections
        self.session = connections.session
        self.demand = demand
        # of the call chain, outermost first; not those of another client, nor of the process this one was forked from
        self.stakes = tuple(stake for stake in stakes if stake.serves(connections)) if stakes else ()
        self.started = time.monotonic()
        self.request: Awaiting | None = None
        self.loans: list[Loan] = []

    @property
    def until(self) -> float | None:
        """When waiting ends, on the monotonic clock."""
        return None if self.demand.timeout is None else self.started + self.demand.timeout

    def run(self) -> Generator[Step, None, Stake]:
        """Return the steps: borrow what the call chain holds, ask the server for the rest, all or nothing."""
        return self._inside() if self.stakes else self._ask(self.demand.needs, self.demand.words)

    def _inside(self) -> Generator[Step, None, Stake]:
        yield from self._borrow()
        borrowed = {loan.limit for loan in self.loans}
        needs = {limit: count for limit, count in self.demand.needs.items() if limit not in borrowed}
        if not needs:
            return Stake(self.connections, None, needs, tuple(self.loans))
        return (yield from self._ask(needs, encode_needs(needs)))

    def abandon(self, post: Callable[[Command], None]) -> None:
        """Give back whatever was granted, lent or asked for. Twice does nothing more."""
        request, loans = self.request, self.loans
        self.request, self.loans = None, []
        if request is not None:
            if self.session.give_up(request):
                post(Cancel(request.n))
            elif isinstance(request.outcome, Holding) and self.session.let_go(request.outcome):
                post(Release(request.outcome.n, request.outcome.token))
        for loan in loans:
            for command in loan.stake.take_back(loan):
                post(command)

    def _lender(self, limit: str) -> Stake | None:
        for stake in reversed(self.stakes):
            if not stake.left and limit in stake.slots:
                return stake
        return None

    def _borrow(self) -> Steps:
        for stake in self.stakes:
            error = None if stake.left else stake.lost_error()
            if error is not None:
                raise error
        for limit, count in self.demand.needs.items():
            lender = self._lender(limit)
            if lender is None:
                continue
            loan = Loan(lender, limit, count, self.wake)
            self.loans.append(loan)  # before it is lent: what interrupts this must find it
            lender.lend(loan)
            while loan.outcome is None:
                if not self.demand.blocking or self._late():
                    used = lender.slots[limit]
                    raise AcquireTimeout(limit, used=used, capacity=used, waited=time.monotonic() - self.started)
                yield Wait(self.until)
            error = lender.lost_error()  # it may have been lost while this waited
            if error is not None:
                raise error

    def _late(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    def _ask(self, needs: Mapping[str, int], words: str) -> Generator[Step, None, Stake]:
        demand = self.demand
        request = Awaiting(words, self.holder, demand.priority, self.wake, not demand.blocking, demand.waits)
        self.request = request
        patience = PATIENCE if demand.timeout is None else min(PATIENCE, demand.timeout)
        yield Send(self.session.ask_for(request), self.started + patience)
        until = self.until if demand.blocking else self.started + PATIENCE
        while request.outcome is None:
            if until is not None and time.monotonic() >= until:
                yield from self._time_out(request, request.blocked_by or next(iter(needs)))
            else:
                yield Wait(until)
        if isinstance(request.outcome, SemaphoresError):
            raise request.outcome
        return Stake(self.connections, request.outcome, needs, tuple(self.loans))

    def _time_out(self, request: Awaiting, limit: str) -> Steps:
        """Cancel, and raise with what the answer says blocked it. A grant that came first stands.

        `limit`: what it waited for as far as is known here: where a beat was faster, the answer says nothing of it.
        """
        if not self.session.give_up(request):
            return
        self.request = None
        last: list[Answer] = []

        def deliver(answer: Answer) -> None:
            last.append(answer)
            self.wake()

        waited = time.monotonic() - self.started
        give_up = time.monotonic() + LAST_WORD
        yield Send(self.session.ledger.enter(Cancel(request.n, explain=True), deliver), give_up)
        while not last and time.monotonic() < give_up:
            yield Wait(give_up)
        if last:
            raise timeout_of({"limit": limit, **last[0]}, waited)
        raise AcquireTimeout(limit, waited=waited, unanswered=True)
