"""Views: what reads of runs return, and how a row becomes one. Times are of the server's clock, spans in seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from urllib.parse import unquote

from semaphores.errors import UsageError
from semaphores.scripts.asking import Reply, number, text
from semaphores.scripts.stored import moment
from semaphores.status.views import SessionView, session_view

__all__ = [
    "FINISHED",
    "IN_PROGRESS",
    "STATUSES",
    "JobView",
    "LogEntry",
    "OpView",
    "RunDetails",
    "RunView",
    "WorkerView",
]

IN_PROGRESS = ("STARTING", "STARTED", "CANCELING")  # these hold slots
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")
STATUSES = ("QUEUED", *IN_PROGRESS, *FINISHED)


@dataclass(frozen=True, slots=True)
class RunView:
    """One run."""

    id: str
    job: str
    status: str  # one of STATUSES
    queue: str
    location: str
    tags: Mapping[str, str]
    priority: int
    attempt: int  # how often it was started
    max_attempts: int
    submitted: datetime | None
    granted: datetime | None  # of this attempt, as all that follow
    started: datetime | None
    ended: datetime | None
    worker: str | None  # host:pid:seat
    lease: str | None  # while it is in progress
    token: int | None
    reason: str | None  # why it failed or was canceled
    by: str | None  # who submitted it
    needs: str  # its limits, as stored
    pools: str
    after: tuple[str, ...] = ()  # the runs that it replaces and waits for

    @property
    def in_progress(self) -> bool:
        """Whether it holds slots."""
        return self.status in IN_PROGRESS

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINISHED


@dataclass(frozen=True, slots=True)
class OpView:
    """What an op of a run is at."""

    op: str
    status: str  # WAITING, STARTED, SUCCESS, FAILURE, RETRY, SKIPPED, CANCELED
    since: datetime | None
    attempt: int
    limit: str | None  # that it waits for
    text: str  # what went wrong
    order: int = 0  # in which it was first heard of


@dataclass(frozen=True, slots=True)
class Blocker:
    """One limit that a queued run needs, and what it is at."""

    limit: str
    used: int
    capacity: int | None
    state: str  # free, full, paused, reserved, line, heavy
    before: int  # requests before it at this limit
    holders: tuple[tuple[str, str], ...]  # lease and name, the oldest first


@dataclass(frozen=True, slots=True)
class RunDetails:
    """One run with its ops and, while it is queued, what it waits for."""

    run: RunView
    ops: tuple[OpView, ...]
    place: str | None = None  # waiters:LIMIT, or line:QUEUE:JOB: only a free seat is missing
    limits: tuple[Blocker, ...] = ()
    served: bool | None = None  # whether a living worker of its queue has its job
    workers: int = 0  # living workers of its queue
    before: int = 0  # runs of the same kind before it
    results: bytes | None = None  # packed


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a run's log."""

    id: str
    at: datetime
    op: str | None
    kind: str  # an op's status, a level of logging, or OUTPUT for what it printed
    text: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as the last worker that has it told."""

    name: str
    queue: str
    location: str
    workers: int  # living ones of its queue that have its code
    queued: int
    running: int
    tags: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    max_attempts: int = 3
    max_runtime: float | None = None
    about: Mapping[str, object] = field(default_factory=dict)  # its ops and executor

    def check_args(self, args: Mapping[str, object]) -> None:
        """Raise UsageError unless a run can be started with these arguments, as far as its worker told of them."""
        takes = self.about.get("args")
        if not isinstance(takes, dict):
            return
        for name in args:
            if name not in takes:
                meant = get_close_matches(name, [str(one) for one in takes], 1)
                hint = f"did you mean {meant[0]!r}?" if meant else f"it takes {', '.join(map(str, takes)) or 'none'}"
                raise UsageError(f"job {self.name!r} has no argument {name!r}; {hint}")
        missing = [str(name) for name, required in takes.items() if required and name not in args]
        if missing:
            raise UsageError(f"job {self.name!r} needs the argument {missing[0]!r}")


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A process that takes runs."""

    session: SessionView
    queues: tuple[str, ...]
    concurrency: int
    runs: tuple[str, ...]  # that it works on
    cpu: float | None  # percent of its host
    memory: float | None


def run_view(row: Reply) -> RunView:
    """Return a run from its row."""
    return RunView(
        id=text(row, "id") or "",
        job=text(row, "job") or "",
        status=text(row, "status") or "",
        queue=text(row, "queue") or "",
        location=text(row, "location") or "",
        tags=_object(text(row, "tags")),
        priority=_whole(row, "priority"),
        attempt=_whole(row, "attempt"),
        max_attempts=_whole(row, "max_attempts"),
        submitted=_moment(row, "submitted"),
        granted=_moment(row, "granted"),
        started=_moment(row, "started"),
        ended=_moment(row, "ended"),
        worker=unquote(text(row, "worker") or "") or None,
        lease=text(row, "lease"),
        token=int(text(row, "token") or 0) or None,
        reason=text(row, "reason") or None,
        by=unquote(text(row, "by") or "") or None,
        needs=text(row, "needs") or "",
        pools=text(row, "pools") or "",
        after=tuple((text(row, "after") or "").split()),
    )


def op_view(op: str, line: str) -> OpView:
    """Return an op from its stored line: `STARTED since=MS order=0 attempt=1 limit=pool:x text=to the end`."""
    about, _, rest = line.partition(" text=")
    status, *words = about.split(" ")
    found = dict(word.partition("=")[::2] for word in words)
    since = found.get("since", "")
    return OpView(
        op,
        status,
        moment(int(since) / 1000) if since.isdecimal() else None,
        int(found.get("attempt", "1")) if found.get("attempt", "1").isdecimal() else 1,
        found.get("limit"),
        rest,
        int(found.get("order", "0")) if found.get("order", "0").isdecimal() else 0,
    )


def op_views(reply: Reply) -> tuple[OpView, ...]:
    """Return the ops of a run from its reply, in the order in which they began."""
    told, now = reply.get("ops"), reply.get("waiting")
    found = [op_view(str(op), str(line)) for op, line in told.items()] if isinstance(told, dict) else []
    if isinstance(now, dict):  # a request for several limits may have moved since its worker was told
        found = [replace(op, limit=str(now[op.op])) if op.status == "WAITING" and op.op in now else op for op in found]
    return tuple(sorted(found, key=lambda op: (op.order, op.op)))


def log_entry(row: Reply) -> LogEntry:
    """Return a line of a log from its row."""
    name = text(row, "id") or "0-0"
    at = number(row, "at") or int(name.partition("-")[0])  # by its worker's clock, else when the server was told
    return LogEntry(name, moment(at / 1000), text(row, "op"), text(row, "kind") or "", text(row, "text") or "")


def job_view(row: Reply) -> JobView:
    """Return a job from its row."""
    pools = _object(text(row, "pools"))
    runtime = number(row, "max_runtime")
    about = text(row, "about")
    return JobView(
        name=text(row, "name") or "",
        queue=text(row, "queue") or "default",
        location=text(row, "location") or "default",
        workers=_whole(row, "workers"),
        queued=_whole(row, "queued"),
        running=_whole(row, "running"),
        tags=_object(text(row, "tags")),
        pools={name: int(count) for name, count in pools.items()},
        priority=_whole(row, "priority"),
        max_attempts=_whole(row, "max_attempts") or 3,
        max_runtime=runtime,
        about=json.loads(about) if about else {},
    )


def worker_view(row: Reply) -> WorkerView:
    """Return a worker from its row."""
    found = dict(word.partition("=")[::2] for word in (text(row, "worker") or "").split(" "))
    runs = row.get("runs")
    return WorkerView(
        session=session_view(row),
        queues=tuple(found.get("queues", "").split(",")),
        concurrency=int(found.get("concurrency", "0")),
        runs=tuple(str(run) for run in runs) if isinstance(runs, list) else (),
        cpu=float(found["cpu"]) if "cpu" in found else None,
        memory=float(found["memory"]) if "memory" in found else None,
    )


def _moment(row: Reply, name: str) -> datetime | None:
    ms = number(row, name)
    return None if ms is None else moment(ms / 1000)


def _whole(row: Reply, name: str) -> int:
    return int(number(row, name) or 0)


def _object(stored: str | None) -> dict[str, str]:
    try:
        found = json.loads(stored or "{}")
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
