"""Columns: what tables show of each kind of view. Pure."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from semaphores.cli.words import shown, shown_slots
from semaphores.status import AuditEntry, LeaseView, LimitStatus, RequestView, SessionView
from semaphores.wording import seconds

__all__ = ["COLUMNS", "Column", "age", "bar", "capacity_text", "moment_text"]

BAR = 10  # characters


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and the text of its cell for a view."""

    title: str
    cell: Callable[[Any], str]  # takes the view that its table is of
    right: bool = False
    optional: bool = False  # left out when no row has anything in it


def age(span: float | None) -> str:
    """Return a span as people say it; empty when unknown."""
    return "" if span is None else seconds(span)


def capacity_text(capacity: int | None) -> str:
    """Return a capacity as people say it."""
    return "unlimited" if capacity is None else str(capacity)


def bar(used: int, capacity: int | None) -> str:
    """Return how full a limit is, as ten characters; one that is in use at all never looks empty."""
    encoding = getattr(sys.__stdout__, "encoding", None) or ""  # the live view puts something else in its place
    full, empty = ("█", "░") if "utf" in encoding.lower() else ("#", ".")
    if capacity is None:
        return ""
    filled = BAR if used >= capacity and used else BAR * used // max(1, capacity)
    return (full * max(filled, 1 if used else 0)).ljust(BAR, empty)


def _usage(limit: LimitStatus) -> str:
    if limit.is_rule:
        return f"{capacity_text(limit.capacity)} each"
    used = f"{limit.used}/{'-' if limit.capacity is None else limit.capacity}"
    return f"{used:>7} {bar(limit.used, limit.capacity)}".rstrip()


def _source(limit: LimitStatus) -> str:
    if limit.paused_from is not None:
        return "paused" if limit.paused_from < 0 else f"paused from {limit.paused_from}"
    if limit.paused:
        return "set to 0"
    if limit.capacity is None and limit.origin is None:
        return "no limit"
    return "default" if limit.default else limit.origin or ""


def moment_text(moment: datetime | None) -> str:
    """Return a time in the zone of whoever reads it; empty when unknown."""
    return "" if moment is None else moment.astimezone().isoformat(sep=" ", timespec="seconds")


def _waiting(limit: LimitStatus) -> str:
    return f"{limit.waiting}{'+' if limit.more else ''}" if limit.waiting else "-"


COLUMNS: Mapping[type, Sequence[Column]] = {
    LimitStatus: (
        Column("LIMIT", lambda limit: shown(limit.limit)),
        Column("USED", _usage),
        Column("WAITING", _waiting, right=True),
        Column("OLDEST WAIT", lambda limit: age(limit.oldest_wait) or "-", right=True),
        Column("SET BY", _source),
        Column("DESCRIPTION", lambda limit: limit.description or "", optional=True),
    ),
    LeaseView: (
        Column("LEASE", lambda lease: lease.id),
        Column("SLOTS", lambda lease: shown_slots(lease.slots)),
        Column("HOLDER", lambda lease: lease.holder),
        Column("RUN", lambda lease: lease.run or "", optional=True),
        Column("HELD FOR", lambda lease: age(lease.held_for), right=True),
        Column("LAST BEAT", lambda lease: f"{age(lease.heartbeat_age)} ago" if lease.alive else "none", right=True),
        Column("TOKEN", lambda lease: str(lease.token or "")),
        Column("REVOKED BY", lambda lease: lease.revoked or "", optional=True),
    ),
    RequestView: (
        Column("REQUEST", lambda request: request.id),
        Column("NEEDS", lambda request: shown_slots(request.slots)),
        Column("WAITS FOR", lambda request: shown(request.blocked_by) if request.blocked_by else "its process"),
        Column("POSITION", lambda request: str(request.position or "-"), right=True),
        Column("WAITED", lambda request: age(request.waited), right=True),
        Column(
            "PRIORITY", lambda request: str(request.priority) if request.priority else "", right=True, optional=True
        ),
        Column("HOLDER", lambda request: request.holder),
    ),
    SessionView: (
        Column("SESSION", lambda session: session.id),
        Column("HOST", lambda session: session.host or ""),
        Column("PID", lambda session: ",".join(map(str, session.pids)), right=True),
        Column("PROGRAM", lambda session: session.program or "ended"),
        Column("LEASES", lambda session: str(session.leases), right=True),
        Column("WAITING", lambda session: str(session.waiting), right=True),
        Column(
            "LAST BEAT", lambda session: f"{age(session.heartbeat_age)} ago" if session.alive else "none", right=True
        ),
        Column("STARTED", lambda session: moment_text(session.started)),
    ),
    AuditEntry: (
        Column("AT", lambda entry: moment_text(entry.at)),
        Column("WHAT", lambda entry: entry.what),
        Column("BEFORE", lambda entry: entry.before or "-"),
        Column("AFTER", lambda entry: entry.after or "-"),
        Column("BY", lambda entry: entry.by or ""),
        Column("DETAILS", lambda entry: ", ".join(f"{k}={v}" for k, v in entry.details.items()), optional=True),
    ),
}
