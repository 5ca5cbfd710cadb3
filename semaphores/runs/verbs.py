"""Verbs: what can be done with runs, each a generator of commands or questions, shared by threads and loops."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from semaphores.errors import NotFound, Refused
from semaphores.limits import nearest
from semaphores.names import tag_value_limit
from semaphores.runs.spec import RunSpec, new_run_id
from semaphores.runs.views import (
    STATUSES,
    Blocker,
    JobView,
    LogEntry,
    RunDetails,
    RunView,
    WorkerView,
    job_view,
    log_entry,
    op_views,
    run_view,
    worker_view,
)
from semaphores.scripts.answers import error_of
from semaphores.scripts.asking import Asking, Reply, number, rows, text
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Command
from semaphores.scripts.run_commands import CancelRun, RetryRun, SetPriority, bytes_of
from semaphores.session.process import user

__all__ = [
    "Doing",
    "Submitted",
    "cancel",
    "counts",
    "details",
    "jobs",
    "log",
    "retry",
    "runs",
    "set_priority",
    "submit",
]

MOST_LISTED = 200  # rows that the server looks at in one question


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submitted run."""

    run: str  # its id; of a skipped one, that of the run that was there already
    queued: bool  # False: it was skipped
    replaces: tuple[str, ...] = ()  # runs that are being canceled, and that it waits for


Doing = Generator[Command, Answer, str]


def submit(spec: RunSpec, run: str | None = None) -> Generator[Command, Answer, Submitted]:
    """Queue a run. `run`: its id, for submitting once however often it is sent. Raises UsageError, Refused."""
    answer = yield spec.command(run or new_run_id(), user())
    if answer["answer"] == "queued":
        replaces = answer.get("replaces")
        return Submitted(str(answer["run"]), True, tuple(map(str, replaces)) if isinstance(replaces, list) else ())
    if answer["answer"] == "skipped":
        return Submitted(str(answer["run"]), False)
    if answer["answer"] == "busy":
        raise Refused(f"more than 64 runs are under {answer['limit']}: too many to skip or replace one by one")
    raise error_of(answer)


def cancel(run: str) -> Doing:
    """Cancel a run; returns `canceled`, or `canceling` while its worker ends it. Raises NotFound, Refused when over."""
    answer = yield CancelRun(run, user())
    _known(run, answer)
    if answer["answer"] == "over":
        raise Refused(f"run {run} is over: {answer['status']}")
    return str(answer["answer"])


def retry(run: str) -> Doing:
    """Queue a finished run again, behind what waits. Raises NotFound, Refused while it is not finished."""
    answer = yield RetryRun(run, user())
    _known(run, answer)
    if answer["answer"] == "unfinished":
        raise Refused(f"run {run} is {answer['status']}: only a finished run can be retried; cancel it first")
    return str(answer["answer"])


def set_priority(run: str, priority: int) -> Doing:
    """Give a queued run another priority; returns the one it had. Raises NotFound, Refused when it is not queued."""
    answer = yield SetPriority(run, priority)
    _known(run, answer)
    if answer["answer"] == "over":
        raise Refused(f"run {run} is {answer['status']}: only a queued run has a place in line")
    return str(int(float(str(answer["before"]))))


def _known(run: str, answer: Answer) -> None:
    if answer["answer"] == "missing":
        raise NotFound("run", run)
    if answer["answer"] in ("refused", "failed"):
        raise error_of(answer)


def runs(
    status: str | None = None, *, job: str | None = None, tag: tuple[str, str] | None = None, most: int = 50
) -> Asking[tuple[RunView, ...]]:
    """List runs, the newest first: of one status or of all, of a job, with a value of a tag; `most` of each status."""
    limit = tag_value_limit(*tag) if tag else tag_value_limit("job", job) if job else None
    found: list[RunView] = []
    for one in [status] if status else STATUSES:
        listed, offset = 0, 0.0
        while listed < most:
            count = min(most - listed, MOST_LISTED)
            reply = yield {"ask": "runs", "status": one, "offset": offset or None, "count": count, "tag": limit}
            page = [run_view(row) for row in rows(reply)]
            listed += len(page)
            found += [run for run in page if job is None or run.job == job]
            following = number(reply, "next")
            if following is None:
                break
            offset = following
    return tuple(found)


def counts() -> Asking[dict[str, int]]:
    """Return how many runs each status has."""
    reply = yield {"ask": "counts"}
    told = reply.get("counts")
    return {status: int(told.get(status, 0)) if isinstance(told, dict) else 0 for status in STATUSES}


def details(run: str) -> Asking[RunDetails]:
    """Return one run with its ops and what it waits for. Raises NotFound."""
    reply = yield {"ask": "run", "id": run}
    row = reply.get("row")
    if not isinstance(row, dict):
        raise NotFound("run", run)
    served, results = reply.get("served"), text(reply, "results")
    return RunDetails(
        run=run_view(row),
        ops=op_views(reply),
        place=text(reply, "place"),
        limits=tuple(_blocker(one) for one in rows(reply, "limits")),
        served=bool(served) if served is not None else None,
        workers=int(number(reply, "workers") or 0),
        before=int(number(reply, "before") or 0),
        results=None if results is None else bytes_of(results),
    )


def log(run: str, after: str | None = None, most: int = 1000) -> Asking[tuple[LogEntry, ...]]:
    """Return the lines of a run's log that come after an entry. Raises NotFound."""
    reply = yield {"ask": "log", "id": run, "after": after, "count": most}
    if text(reply, "status") is None:
        raise NotFound("run", run)
    return tuple(log_entry(row) for row in rows(reply))


def jobs() -> Asking[tuple[JobView, ...]]:
    """List the jobs that workers told of, by name."""
    found: dict[str, JobView] = {}
    cursor: str | None = "0"
    while cursor is not None:
        reply = yield {"ask": "jobs", "cursor": cursor}
        found |= {job.name: job for job in map(job_view, rows(reply))}
        cursor = text(reply, "cursor")
    return tuple(found[name] for name in sorted(found))


def job(name: str) -> Asking[JobView]:
    """Return one job. Raises NotFound with the nearest known name."""
    reply = yield {"ask": "jobs", "name": name}
    found = rows(reply)
    if not found:
        known = yield from jobs()
        raise NotFound("job", name, nearest(name, [one.name for one in known]))
    return job_view(found[0])


def workers() -> Asking[tuple[WorkerView, ...]]:
    """List the processes that take runs, the longest running first."""
    reply = yield {"ask": "workers"}
    found = [worker_view(row) for row in rows(reply)]
    return tuple(sorted(found, key=lambda one: (one.session.started is None, one.session.started, one.session.id)))


def _blocker(row: Reply) -> Blocker:
    capacity = int(number(row, "capacity") or 0)
    holders = rows(row, "holders")
    return Blocker(
        limit=text(row, "limit") or "",
        used=int(number(row, "used") or 0),
        capacity=None if capacity < 0 else capacity,
        state=text(row, "state") or "free",
        before=int(number(row, "before") or 0),
        holders=tuple((text(one, "lease") or "", text(one, "name") or "") for one in holders),
    )
