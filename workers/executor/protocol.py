"""Protocol: what execution asks of its caller, and what it tells. All there is between a run's graph and the worker.

    results = await execute(job, run, gate, report, rest, executors, cancel_timeout=5.0)

`execute` is called in asyncio; cancelling it ends the ops and returns when nothing of them is left. It raises RunFailed
for whatever is wrong with the run, and nothing else of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from workers.op import Op

__all__ = ["Company", "Gate", "Held", "LogLine", "OpEvent", "Report", "Rest", "RunInfo", "Status"]

Status = Literal["WAITING", "STARTED", "SUCCESS", "FAILURE", "RETRY", "SKIPPED", "CANCELED"]
Rest: TypeAlias = Callable[[], float]  # seconds until a lease is not certainly held any more, read anew each time


class Held(Protocol):
    """The slots of one op."""

    def rest(self) -> float:
        """Return the seconds until they are not certainly held any more; it may grow, and is 0 when they are lost."""


class Gate(Protocol):
    """Where an op takes the slots of its pools. An op without pools never comes here."""

    def slots(self, op: Op, waiting: Callable[[str], None]) -> AbstractAsyncContextManager[Held | None]:
        """Hold the slots of all of `op.pools` while the block runs; None: somebody else holds them for it.

        `waiting(limit)` is called each time that it waits for another limit. An op whose slots come when it cannot
        start any more, as others of its run were faster, leaves the block at once and asks again later.
        """


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One attempt of one run."""

    id: str
    job: str
    attempt: int = 1
    max_attempts: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, object] = field(default_factory=dict)
    config: Mapping[str, object] | None = None  # the run config; None: none was given
    token: int = 0  # the fencing token of this attempt's lease


@dataclass(slots=True)
class OpEvent:
    """A step in the life of an op. An op that never got as far has none.

    `attempt` counts the op's own attempts in this run from 1. `limit` is what a WAITING op waits for. `text` is one
    line: the error of FAILURE and RETRY, the reason of SKIPPED and CANCELED.
    """

    op: str
    status: Status
    attempt: int = 1
    limit: str | None = None
    text: str = ""


@dataclass(slots=True)
class LogLine:
    """A line for the run's log. `kind`: a level of `logging` (INFO, ...), or OUTPUT for what an op printed."""

    op: str
    kind: str
    text: str


class Company(Protocol):
    """Where child processes are told of: what works under a lease, and outlives this process by a moment."""

    async def join(self, pid: int) -> None:
        """Return when a process may begin to work for us."""

    def leave(self, pid: int) -> None:
        """Note that nothing is left of what it did."""


Report: TypeAlias = Callable[[OpEvent | LogLine], None]  # cheap, never blocks, never raises; in the loop's thread
