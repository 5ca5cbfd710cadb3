"""Events: what happens to a session's leases, for whoever counts or logs it. Costs nothing while nobody does.

An observer is called from whichever thread learns of an event, with the session's lock held: it counts and returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Began", "Epoch", "Event", "Granted", "Lost", "Observer"]


@dataclass(frozen=True, slots=True)
class Granted:
    """A request was granted."""

    needs: str  # as stored: `pool:api=2 pool:database=1`
    waited: float  # seconds since it was asked for
    in_line: bool  # it had to wait; else it was granted at once
    run: str | None  # the id of the run that a seat got


@dataclass(frozen=True, slots=True)
class Lost:
    """A lease ended before its holder let go of it."""

    needs: str
    reason: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """The server's data may have been lost: a new epoch began."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Began:
    """A session began on the server, the first one or one that follows a lost one."""

    session: str


Event: TypeAlias = Granted | Lost | Epoch | Began
Observer: TypeAlias = Callable[[Event], None]
