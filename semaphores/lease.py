"""Lease: what a granted request gives its holder, and what it lends to those who ask for the same inside it.

Invariants: a slot is lent to one borrower at a time; a lease is given back when its holder and its last borrower have
left; look-up never finds a lease that its holder has left.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from semaphores.connections import Connections
from semaphores.errors import LeaseLost, UsageError
from semaphores.scripts.commands import Release
from semaphores.session.ledger import Holding
from semaphores.wording import readable

__all__ = ["AsyncLease", "Inherited", "Lease", "Loan", "Stake", "bequeath", "chain"]


_books = Lock()  # for single steps in the books of any stake, never while something is awaited


def _forked() -> None:
    global _books  # noqa: PLW0603 (in a child it may be held by a thread that is not there)
    _books = Lock()


os.register_at_fork(after_in_child=_forked)


class Loan:
    """Slots asked of an enclosing lease, of one limit. `outcome` is there when they are lent."""

    __slots__ = ("count", "limit", "outcome", "stake", "wake")

    def __init__(self, stake: Stake, limit: str, count: int, wake: Callable[[], None]) -> None:
        self.stake, self.limit, self.count, self.wake = stake, limit, count, wake
        self.outcome: Loan | None = None


class Stake:
    """What one `with` has: slots by limit, its own from the server, or borrowed from the `with` around it."""

    def __init__(
        self, connections: Connections, holding: Holding | None, own: Mapping[str, int], loans: tuple[Loan, ...]
    ) -> None:
        self.connections = connections
        self.session = connections.session
        self.holding = holding  # None: everything is borrowed
        self.loans = loans
        self.slots: Mapping[str, int] = {**own, **{loan.limit: loan.count for loan in loans}} if loans else own
        self.left = False  # by its holder
        self._free: dict[str, int] | None = None  # made with the first loan: most stakes never lend
        self._borrowers = 0
        self._line: deque[Loan] = deque()

    def serves(self, connections: Connections) -> bool:
        """Whether what is asked for over these connections can be lent by it."""
        return self.session is connections.session

    @property
    def shown(self) -> Holding:
        """The lease behind it: its own, or the lender's."""
        return self.holding if self.holding is not None else self.loans[0].stake.shown

    def holdings(self) -> list[Holding]:
        """Return every lease that it rests on."""
        found = [self.holding] if self.holding is not None else []
        for loan in self.loans:
            found += loan.stake.holdings()
        return found

    def lost_error(self) -> LeaseLost | None:
        """Return why it is not certainly held now; None if it is."""
        if not self.loans and self.holding is not None:
            return self.session.lost_error(self.holding)
        for holding in self.holdings():
            error = self.session.lost_error(holding)
            if error is not None:
                return error
        return None

    def lend(self, loan: Loan) -> None:
        """Lend slots now, or when those who have them now return them."""
        if loan.count > self.slots[loan.limit]:
            raise UsageError(
                f"{readable(loan.limit)}: {loan.count} slots asked for inside a lease that has"
                f" {self.slots[loan.limit]}; take them all in the outer one"
            )
        with _books:
            if self._free is None:
                self._free = dict(self.slots)
            if not self._line and self._free[loan.limit] >= loan.count:
                self._give(self._free, loan)
            else:
                self._line.append(loan)

    def _give(self, free: dict[str, int], loan: Loan) -> None:
        free[loan.limit] -= loan.count
        self._borrowers += 1
        loan.outcome = loan

    def take_back(self, loan: Loan) -> list[Release]:
        """Take slots back, or a loan out of the line. Returns what is to be released: this was the last to leave."""
        woken = []
        with _books:
            free = self._free or {}
            if loan.outcome is None:
                if loan in self._line:  # else it was refused, or interrupted before it got there
                    self._line.remove(loan)
            else:
                loan.outcome = None
                free[loan.limit] += loan.count
                self._borrowers -= 1
            while self._line and free[self._line[0].limit] >= self._line[0].count:
                following = self._line.popleft()
                self._give(free, following)
                woken.append(following)
            over = self.left and self._borrowers == 0 and not self._line
        for following in woken:
            following.wake()
        return self._given_back() if over else []

    def leave(self) -> list[Release]:
        """Note that its holder left. Returns what is to be released, once nobody borrows from it any more."""
        with _books:
            over = self._borrowers == 0 and not self._line
            self.left = True
        return self._given_back() if over else []

    def _given_back(self) -> list[Release]:
        holding, released = self.holding, []
        if holding is not None and self.session.let_go(holding):
            released.append(Release(holding.n, holding.token))
        for loan in self.loans:
            released += loan.stake.take_back(loan)
        return released


class Inherited(Stake):
    """What a process may use of leases that its parent holds, which ends it before they can be lost."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._where: list[str] = told["where"]
        self.slots = told["slots"]
        self.holding = Holding(*told["holding"])
        self.loans, self.left = (), False
        self._free, self._borrowers, self._line = None, 0, deque()

    def serves(self, connections: Connections) -> bool:
        """Whether they lead to the namespace of these leases."""
        return self._where == [connections.endpoint.redacted, connections.prefix]

    def lost_error(self) -> LeaseLost | None:
        """Nothing: who runs this lives."""
        return None

    def holdings(self) -> list[Holding]:
        """Nothing that this process could lose."""
        return []


def bequeath(stakes: Sequence[Stake]) -> list[dict[str, Any]]:
    """Return, as plain data, what a child process may use of these: each one makes an `Inherited` there."""
    found: list[dict[str, Any]] = []
    for stake in stakes:
        held, connections = stake.shown, stake.connections
        found.append(
            {
                "where": [connections.endpoint.redacted, connections.prefix],
                "slots": dict(stake.slots),
                "holding": [held.session, held.n, held.token, held.needs, held.holder, held.since],
            }
        )
    return found


chain: ContextVar[tuple[Stake, ...]] = ContextVar("semaphores_chain", default=())


class _LeaseBase:
    """What sync and async leases have in common."""

    _stake: Stake

    def __repr__(self) -> str:
        state = "LOST" if self.lost else "RELEASED" if self._stake.left else f"{self.remaining:.1f} s left"
        return f"<{type(self).__name__} {self.id} {self.limits}, {state}>"

    def __reduce__(self) -> str:
        raise TypeError(
            "a lease belongs to the process that acquired it and cannot be pickled: acquire inside the other process"
        )

    @property
    def id(self) -> str:
        """The lease's id, SESSION/N; inside a borrowed one, the lender's."""
        return self._stake.shown.id

    @property
    def token(self) -> int:
        """The fencing token: higher than that of every earlier lease of this namespace."""
        return int(self._stake.shown.token)

    @property
    def limits(self) -> dict[str, int]:
        """Slots by limit name."""
        return dict(self._stake.slots)

    @property
    def since(self) -> datetime:
        """When it was granted."""
        return datetime.fromtimestamp(self._stake.shown.since, UTC)

    @property
    def remaining(self) -> float:
        """Seconds for which it is certainly held even if the server is never heard of again. Reads the clock."""
        return 0.0 if self.lost else self._stake.session.deadline.left()

    @property
    def lost(self) -> bool:
        """Whether it is not certainly held any more. Reads the clock."""
        return self._stake.lost_error() is not None

    def guard(self) -> None:
        """Raise LeaseLost unless it is certainly held now. Call it before each effect that must not be doubled."""
        error = self._stake.lost_error()
        if error is not None:
            raise error


class Lease(_LeaseBase):
    """Slots held by a thread."""

    def __init__(self, stake: Stake, finish: Callable[[Release], None]) -> None:
        self._stake = stake
        self._finish = finish

    def release(self) -> None:
        """Give the slots back and wait until the server has answered. Releasing twice does nothing."""
        for command in self._stake.leave():
            self._finish(command)


class AsyncLease(_LeaseBase):
    """Slots held by a task."""

    def __init__(self, stake: Stake, finish: Callable[[Release], Awaitable[None]]) -> None:
        self._stake = stake
        self._finish = finish

    async def release(self) -> None:
        """Give the slots back and wait until the server has answered. Releasing twice does nothing."""
        for command in self._stake.leave():
            await self._finish(command)
