"""Queued: what keeps a run from going on, in one line. Pure."""

from __future__ import annotations

from semaphores.cli.columns import capacity_text
from semaphores.cli.words import printable, shown
from semaphores.runs import RunDetails
from semaphores.runs.views import Blocker
from semaphores.wording import seconds

__all__ = ["blocked"]

_AT_LIMIT = "waiters:"  # what the place of a run begins with that waits for a limit


def blocked(found: RunDetails, grace: float | None = None) -> str:
    """Say why a queued run does not run; empty when it is not queued. `grace`: seconds in which nothing is granted."""
    run = found.run
    if run.status != "QUEUED":
        return ""
    if run.after:
        return f"it waits for the runs that it replaces to end: {', '.join(run.after)}"
    reasons = []
    if grace is not None:
        reasons.append(f"nothing is granted for another {seconds(grace)}: the server's data is new or was lost")
    elif (limit := _limit_of(found)) is not None:
        reasons.append(_at(limit))
    if not found.workers:
        reasons.append(f"no worker is alive for queue {run.queue!r}; 'semaphores worker MODULE' starts one")
    elif not found.served:
        workers = "the worker" if found.workers == 1 else f"any of the {found.workers} workers"
        reasons.append(f"job {run.job!r} is not in the code of {workers} of queue {run.queue!r}")
    elif not reasons:
        seats = "the worker" if found.workers == 1 else f"one of {found.workers} workers"
        reasons.append(f"it waits for a free seat of {seats} of queue {run.queue!r}{_behind(found.before)}")
    return "; ".join(reasons)


def _limit_of(found: RunDetails) -> Blocker | None:
    """The limit that it stands at; or, as it is moved only when a seat asks, the first that would stop it there."""
    stops = [limit for limit in found.limits if limit.state != "free"]
    here = (found.place or "").partition(_AT_LIMIT)[2]
    return next((limit for limit in stops if limit.limit == here), stops[0] if stops else None)


def _at(limit: Blocker) -> str:
    name, used = shown(limit.limit), f"{limit.used} of {capacity_text(limit.capacity)} held"
    if limit.state == "paused":
        return f"{name} is paused or set to 0 ({limit.used} still held)"
    if limit.state == "heavy":
        return f"{name} has {capacity_text(limit.capacity)} slots: too few for it ever to start"
    oldest = f", oldest by {printable(limit.holders[0][1])}" if limit.holders else ""
    state = "is full" if limit.state == "full" else "has others waiting first"
    if limit.state == "reserved":
        state = "is kept free for a run that was passed over too often"
    return f"{name} {state} ({used}{oldest}){_behind(limit.before)}"


def _behind(before: int) -> str:
    return "" if not before else "; 1 is before it" if before == 1 else f"; {before} are before it"
