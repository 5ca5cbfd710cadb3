"""Run commands: what a call can ask of the server about runs, one dataclass each; the Lua file of the same name carries
it out.

Packed bytes (arguments, results) travel as text with surrogates: `opaque` and `bytes_of` turn one into the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "CancelRun",
    "Enroll",
    "Finish",
    "Report",
    "RetryRun",
    "RunCommand",
    "SetPriority",
    "Start",
    "Submit",
    "Take",
    "bytes_of",
    "opaque",
]

Entry = Sequence[str]  # name, value, … of one entry of a run's log


@dataclass(slots=True)
class Submit:
    """Queue a run."""

    op: ClassVar[str] = "submit"
    admits: ClassVar[bool] = True
    run: str
    job: str
    queue: str
    location: str
    needs: str  # `runs=1 tag:team=1 tag:team=growth=1`, in the order of the names
    max_attempts: int
    by: str
    pools: str | None = None  # `pool:database=1`: held by the run at granularity `run`
    tags: str | None = None  # one JSON object
    priority: int | None = None
    args: str | None = None
    config: str | None = None  # one JSON object
    max_runtime: int | None = None  # seconds
    conflict: Literal["skip", "replace"] | None = None
    conflict_limit: str | None = None


@dataclass(slots=True)
class Take:
    """Ask for one run on a free seat."""

    op: ClassVar[str] = "take"
    admits: ClassVar[bool] = True
    queues: str  # `a,b`, in the order in which they are worked on
    code: str
    holder: str


@dataclass(slots=True)
class Start:
    """Begin with a run that was granted."""

    op: ClassVar[str] = "start"
    admits: ClassVar[bool] = False
    run: str
    token: str
    ops: Mapping[str, str] | None = None
    entries: Sequence[Entry] | None = None


@dataclass(slots=True)
class Report:
    """Tell what the ops of a run are at, and lines for its log."""

    op: ClassVar[str] = "report"
    admits: ClassVar[bool] = False
    run: str
    token: str
    ops: Mapping[str, str] | None = None
    entries: Sequence[Entry] | None = None


@dataclass(slots=True)
class Finish:
    """End a run and its lease."""

    op: ClassVar[str] = "finish"
    admits: ClassVar[bool] = False
    run: str
    token: str
    status: Literal["SUCCESS", "FAILURE", "CANCELED"]
    reason: str | None = None
    results: str | None = None
    ops: Mapping[str, str] | None = None
    entries: Sequence[Entry] | None = None
    keep: int | None = None


@dataclass(slots=True)
class CancelRun:
    """Cancel a run, wherever it is."""

    op: ClassVar[str] = "cancel_run"
    admits: ClassVar[bool] = False
    run: str
    by: str


@dataclass(slots=True)
class RetryRun:
    """Queue a finished run again."""

    op: ClassVar[str] = "retry_run"
    admits: ClassVar[bool] = True
    run: str
    by: str


@dataclass(slots=True)
class SetPriority:
    """Give a queued run another place in line."""

    op: ClassVar[str] = "set_priority"
    admits: ClassVar[bool] = True
    run: str
    priority: int


@dataclass(slots=True)
class Enroll:
    """Say which queues a session works on, and which jobs it knows."""

    op: ClassVar[str] = "enroll"
    admits: ClassVar[bool] = True
    queues: str
    code: str
    worker: str  # `concurrency=4 cpu=12 memory=40`
    jobs: Sequence[Mapping[str, str]] | None = None


RunCommand = Submit | Take | Start | Report | Finish | CancelRun | RetryRun | SetPriority | Enroll


def opaque(packed: bytes) -> str:
    """Return packed bytes as the text that a command carries."""
    return packed.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the packed bytes behind a text that a reply brought."""
    return text.encode("utf-8", "surrogateescape")
