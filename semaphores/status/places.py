"""Places: one limit from near: a page of its holders, and who waits there, requests and queued runs in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from semaphores.scripts.asking import Asking, Reply, number, rows, text, words
from semaphores.scripts.stored import moment, parse_line, parse_needs
from semaphores.status.views import LeaseView, lease_view, session_view

__all__ = ["HoldersPage", "WaiterView", "WaitersView", "holders_page", "waiters"]


@dataclass(frozen=True, slots=True)
class HoldersPage:
    """A part of the leases that hold slots of a limit, the oldest first."""

    leases: tuple[LeaseView, ...]
    following: int | None  # where the next part begins, in slots


@dataclass(frozen=True, slots=True)
class WaiterView:
    """Who waits because of a limit: a request, or a queued run."""

    id: str  # SESSION/N, or the run's id
    is_run: bool
    who: str  # a request's holder (host:pid:task), a run's job
    host: str | None
    position: int  # in line, from 1
    priority: int
    slots: int  # of this limit
    state: str  # at this limit: full | paused | line (others are before it) | reserved | heavy | free
    others: Mapping[str, str]  # its other limits that keep it, too: limit to state
    since: datetime | None
    waited: float | None  # seconds
    needs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WaitersView:
    """The first in line of a limit."""

    rows: tuple[WaiterView, ...]
    more: bool  # whether others wait behind them


def holders_page(limit: str, offset: int = 0) -> Asking[HoldersPage]:
    """Return some 200 slots' worth of the leases that hold `limit` (as stored), from the slot `offset` on."""
    reply = yield {"ask": "holders", "limit": limit, "offset": offset or None}
    told = reply.get("sessions")
    by_id = {name: session_view(row) for name, row in told.items()} if isinstance(told, dict) else {}
    now, following = number(reply, "now") or 0.0, number(reply, "next")
    found = [
        lease_view(name, parse_line(text(row, "line") or ""), by_id.get(name.rpartition("/")[0]), now)
        for row in rows(reply)
        if (name := text(row, "id")) is not None
    ]
    return HoldersPage(tuple(found), int(following) if following is not None else None)


def waiters(limit: str, count: int = 50) -> Asking[WaitersView]:
    """Return who waits because of `limit` (as stored), as they go on; up to `count` (at most 200)."""
    reply = yield {"ask": "waiters", "limit": limit, "count": count}
    now = number(reply, "now") or 0.0
    found = [_waiter(row, position, now) for position, row in enumerate(rows(reply), 1)]
    return WaitersView(tuple(found), bool(reply.get("more")))


def _waiter(row: Reply, position: int, now: float) -> WaiterView:
    run = row.get("run")
    others = words(row, "others")
    if isinstance(run, dict):
        ms = number(run, "submitted")
        since, who, host = ms / 1000 if ms is not None else None, text(run, "job") or "", None
        priority, needs = int(number(run, "priority") or 0), parse_needs(text(run, "needs") or "")
    else:
        line, session = parse_line(text(row, "line") or ""), row.get("session")
        since, who, priority, needs = line.since, line.holder, line.priority, dict(line.slots)
        host = session_view(session).host if isinstance(session, dict) else None
    return WaiterView(
        id=text(row, "id") or "",
        is_run=isinstance(run, dict),
        who=who,
        host=host,
        position=position,
        priority=priority,
        slots=int(number(row, "slots") or 1),
        state=text(row, "state") or "free",
        others=dict(zip(others[::2], others[1::2], strict=False)),
        since=moment(since) if since is not None else None,
        waited=max(0.0, now - since) if since is not None else None,
        needs=needs,
    )
