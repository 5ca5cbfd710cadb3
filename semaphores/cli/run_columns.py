"""Run columns: what tables show of runs, their ops, jobs and workers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from semaphores.cli.about import JobOp
from semaphores.cli.columns import Column, age, moment_text
from semaphores.cli.words import printable, shown
from semaphores.runs import JobView, OpView, RunView, WorkerView

__all__ = ["RUN_COLUMNS", "pools_text", "tags_text"]


def tags_text(tags: Mapping[str, str]) -> str:
    """Return tags on one line, as people write them."""
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def _took(run: RunView) -> str:
    if run.started is None or run.ended is None:
        return ""
    return age(max(0.0, (run.ended - run.started).total_seconds()))


def pools_text(pools: Mapping[str, int]) -> str:
    """Return pools and how many slots of each, on one line."""
    return ", ".join(pool + (f" x {slots}" if slots > 1 else "") for pool, slots in sorted(pools.items()))


def _attempt(run: RunView) -> str:
    return f"{run.attempt}/{run.max_attempts}" if run.attempt else "-"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"


def _heard(worker: WorkerView) -> str:
    heard = age(worker.session.heartbeat_age)
    if worker.session.alive:
        return f"{heard} ago" if heard else ""
    return f"DEAD, {heard} ago" if heard else "DEAD"


RUN_COLUMNS: Mapping[type, Sequence[Column]] = {
    RunView: (
        Column("RUN", lambda run: run.id),
        Column("JOB", lambda run: run.job),
        Column("STATUS", lambda run: run.status),
        Column("QUEUE", lambda run: run.queue),
        Column("PRIORITY", lambda run: str(run.priority) if run.priority else "", right=True, optional=True),
        Column("ATTEMPT", _attempt, right=True),
        Column("SUBMITTED", lambda run: moment_text(run.submitted)),
        Column("STARTED", lambda run: moment_text(run.started), optional=True),
        Column("TOOK", _took, right=True, optional=True),
        Column("WORKER", lambda run: run.worker or "", optional=True),
        Column("TAGS", lambda run: tags_text(run.tags), optional=True),
        Column("REASON", lambda run: run.reason or "", optional=True),
    ),
    OpView: (
        Column("OP", lambda op: op.op),
        Column("STATUS", lambda op: op.status),
        Column("SINCE", lambda op: moment_text(op.since)),
        Column("ATTEMPT", lambda op: str(op.attempt), right=True),
        Column("WAITS FOR", lambda op: shown(op.limit) if op.limit else "", optional=True),
        Column("TEXT", lambda op: printable(op.text), optional=True),
    ),
    JobView: (
        Column("JOB", lambda job: job.name),
        Column("QUEUE", lambda job: job.queue),
        Column("LOCATION", lambda job: job.location),
        Column("WORKERS", lambda job: str(job.workers), right=True),
        Column("QUEUED", lambda job: str(job.queued), right=True),
        Column("RUNNING", lambda job: str(job.running), right=True),
        Column("PRIORITY", lambda job: str(job.priority) if job.priority else "", right=True, optional=True),
        Column("TAGS", lambda job: tags_text(job.tags), optional=True),
        Column("POOLS", lambda job: pools_text(job.pools), optional=True),
    ),
    JobOp: (
        Column("OP", lambda op: op.name),
        Column("AFTER", lambda op: ", ".join(op.upstream) or "-"),
        Column("POOLS", lambda op: pools_text(op.pools), optional=True),
        Column("TAGS", lambda op: tags_text(op.tags), optional=True),
        Column("PRIORITY", lambda op: str(op.priority) if op.priority else "", right=True, optional=True),
        Column("RETRIES", lambda op: str(op.retries) if op.retries else "", right=True, optional=True),
    ),
    WorkerView: (
        Column("HOST", lambda worker: worker.session.host or ""),
        Column("PID", lambda worker: ",".join(map(str, worker.session.pids)), right=True),
        Column("QUEUES", lambda worker: ", ".join(worker.queues)),
        Column("SEATS", lambda worker: str(worker.concurrency), right=True),
        Column("RUNS", lambda worker: ", ".join(worker.runs) or "-"),
        Column("CPU", lambda worker: _percent(worker.cpu), right=True),
        Column("MEMORY", lambda worker: _percent(worker.memory), right=True),
        Column("LAST BEAT", _heard, right=True),
        Column("STARTED", lambda worker: moment_text(worker.session.started)),
        Column("SESSION", lambda worker: worker.session.id),
    ),
}
