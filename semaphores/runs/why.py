"""Why: what keeps a run queued, where it is at work, or how it ended. One question a run: it tells of one moment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from semaphores import why as reasons
from semaphores.errors import NotFound
from semaphores.runs.views import OpView, RunView, op_views, run_view
from semaphores.scripts.asking import Asking, number, rows, text, words
from semaphores.status.views import SessionView, place_limit, session_view
from semaphores.why import Need, Why, need_of
from semaphores.wording import readable, seconds

__all__ = ["RunWhy", "why", "why_run"]

QUIET = 3.0  # seconds; two beats: a worker heard of later than that may be dead

_RUN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MADE = re.compile(r"[0-9a-f]{16}")  # by this library: asked for first


@dataclass(frozen=True, slots=True)
class RunWhy:
    """A run, and why it is where it is."""

    run: RunView
    now: float  # the server's clock, seconds since 1970
    ops: tuple[OpView, ...] = ()
    needs: tuple[Need, ...] = ()  # while it is queued, in the order in which limits are tried
    place: str | None = None  # waiters:LIMIT, or line:QUEUE:JOB: only a free seat is missing
    before: int = 0  # runs of its job before it in line for a seat
    served: int = 0  # living workers of its queue that have its job
    workers: int = 0  # living workers of its queue
    elsewhere: tuple[str, ...] = ()  # queues whose workers have its job, where those of its own have not
    after: tuple[RunView, ...] = ()  # the runs that it replaces and waits for
    grace: float | None = None  # seconds left in which nothing is granted at all
    session: SessionView | None = None  # of its worker, while it is in progress

    @property
    def blocker(self) -> Need | None:
        """The limit it waits at, or would wait at if it had a seat; None where it waits for something else."""
        return next((need for need in self.needs if need.blocks or (self.in_line and need.state != "free")), None)

    @property
    def in_line(self) -> bool:
        """Whether it waits for a free seat."""
        return self.place is not None and self.place.startswith("line:")

    @property
    def position(self) -> int | None:
        """Its place in line, from 1, for the limit or the seat it waits for."""
        if self.place is None:
            return None
        return self.before + 1 + (self.blocker.before if self.blocker is not None else 0)

    def __str__(self) -> str:
        who = f"run {self.run.id} of job '{self.run.job}'"
        if self.run.finished:
            reason = f": {self.run.reason}" if self.run.reason else ""
            ended = f" at {self.run.ended.isoformat(timespec='seconds')}" if self.run.ended else ""
            return f"{who} is over: {self.run.status}{ended}, attempt {self.run.attempt}{reason}"
        if self.run.in_progress:
            return f"{who} {self._progress()}"
        return f"{who} is queued{self._waited()} and {self._waits()}"

    def _waited(self) -> str:
        if self.run.submitted is None:
            return ""
        return f" for {seconds(max(0.0, self.now - self.run.submitted.timestamp()))}"

    def _waits(self) -> str:
        if self.grace is not None:
            return f"waits: nothing is granted for another {seconds(self.grace)}, since data is new or was lost"
        if self.after:
            others = " and ".join(f"run {run.id} ({run.status}{_on(run)})" for run in self.after)
            return f"waits for {others} to end, which it replaces"
        if self.blocker is not None:
            besides = f"; besides, there is {self._unserved()}" if self.served == 0 else ""
            return f"is number {self.position} in line for {self.blocker}{besides}"
        if self.served == 0:
            return f"waits: there is {self._unserved()}"
        if self.place is None:
            return "waits in no line: 'semaphores doctor --repair' mends that"
        has = "the worker" if self.served == 1 else f"all {self.served} workers"
        return (
            f"is number {self.position} in line for a free seat: {has} of queue '{self.run.queue}' with the code of"
            " its job have none"
        )

    def _unserved(self) -> str:
        other = ", ".join(f"'{queue}'" for queue in self.elsewhere)
        elsewhere = f" (workers of queue {other} have it)" if other else ""
        if self.workers == 0:
            return f"no living worker of queue '{self.run.queue}'{elsewhere}"
        return f"no worker of queue '{self.run.queue}' with the code of job '{self.run.job}'{elsewhere}"

    def _progress(self) -> str:
        verb = {"STARTING": "was granted and is about to start", "STARTED": "runs", "CANCELING": "is being canceled"}
        since = self.run.started or self.run.granted
        span = f" for {seconds(max(0.0, self.now - since.timestamp()))}" if since else ""
        reason = f" ({self.run.reason})" if self.run.status == "CANCELING" and self.run.reason else ""
        attempt = f", attempt {max(1, self.run.attempt)} of {self.run.max_attempts}"
        ops = "".join(f"; {_at(op, self.now)}" for op in self.ops if op.status in ("WAITING", "STARTED", "RETRY"))
        return f"{verb[self.run.status]}{reason}{_on(self.run)}{span}{attempt}{ops}{self._silence()}"

    def _silence(self) -> str:
        if self.session is None or not self.session.alive:
            return "; its worker is gone: it goes back to its queue, or ends"
        age = self.session.heartbeat_age or 0.0
        return f"; its worker was last heard of {seconds(age)} ago" if age > QUIET else ""


def why(name: str) -> Asking[Why | RunWhy]:
    """Say why a run or a request waits, or what a lease, session or limit is; `name` as in `semaphores.why`, or a run.

    Raises NotFound, with the nearest known name.
    """
    if _MADE.fullmatch(name) and (run := (yield from why_run(name))) is not None:
        return run
    try:
        return (yield from reasons.why(name))
    except NotFound:
        if (run := (yield from why_run(name))) is None:
            raise
        return run


def why_run(name: str) -> Asking[RunWhy | None]:
    """Explain a run; None where there is none of that name."""
    if not _RUN.fullmatch(name):
        return None
    reply = yield {"ask": "run", "id": name}
    row, session = reply.get("row"), reply.get("session")
    if not isinstance(row, dict):
        return None
    place = text(reply, "place")
    limit = place_limit(place) if place and place.startswith("waiters:") else None
    return RunWhy(
        run=run_view(row),
        now=number(reply, "now") or 0.0,
        ops=op_views(reply),
        needs=tuple(need_of(one, limit) for one in rows(reply, "limits")),
        place=place,
        before=int(number(reply, "before") or 0),
        served=int(number(reply, "served") or 0),
        workers=int(number(reply, "workers") or 0),
        elsewhere=tuple(sorted(words(reply, "elsewhere"))),
        after=tuple(run_view(one) for one in rows(reply, "after")),
        grace=number(reply, "grace"),
        session=session_view(session) if isinstance(session, dict) else None,
    )


def _on(run: RunView) -> str:
    return f" on {run.worker}" if run.worker else ""


def _at(op: OpView, now: float) -> str:
    since = f" for {seconds(max(0.0, now - op.since.timestamp()))}" if op.since else ""
    if op.status == "WAITING":
        return f"op '{op.op}' waits{since} for {readable(op.limit) if op.limit else 'a slot'}"
    if op.status == "RETRY":
        return f"op '{op.op}' is about to be retried: {op.text}" if op.text else f"op '{op.op}' is about to be retried"
    return f"op '{op.op}' runs{since}"
