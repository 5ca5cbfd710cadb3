"""Views: what reads return, and how a reply's row becomes one. Times are of the server's clock, spans in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from semaphores.scripts.asking import Reply, number, text
from semaphores.scripts.stored import Line, moment, parse_info
from semaphores.wording import readable

__all__ = ["AuditEntry", "LeaseView", "LimitStatus", "NamespaceView", "RequestView", "SessionView"]


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit: its capacity, who uses it, who waits."""

    limit: str  # as stored: pool:database
    name: str  # as people wrote it
    kind: str  # runs, pool or tag
    capacity: int | None  # slots; None is unlimited
    used: int
    waiting: int  # requests and runs that wait because of this limit
    oldest_wait: float | None  # seconds
    paused: bool  # capacity 0
    paused_from: int | None  # capacity that `resume` brings back; -1: it had none; None: nothing is remembered
    default: bool  # its capacity comes from pool:* or tag:KEY=*
    description: str | None
    origin: str | None  # file or hand
    more: bool = False  # so many different groups wait that `waiting` is a lower bound

    @property
    def is_rule(self) -> bool:
        """Whether it gives others their capacity (`pool:*`, `tag:KEY=*`) and is never held itself."""
        return self.limit.endswith("*")

    @property
    def free(self) -> int | None:
        """Slots that are free now; None is unlimited."""
        return None if self.capacity is None else max(0, self.capacity - self.used)


@dataclass(frozen=True, slots=True)
class SessionView:
    """One process in this namespace. An ended session whose leases are on their way back has no facts but its id."""

    id: str
    host: str | None
    program: str | None
    pids: tuple[int, ...]
    started: datetime | None
    heartbeat_age: float | None  # seconds since it was heard of
    alive: bool  # not past its expiry on the lease clock
    leases: int
    waiting: int  # requests; a worker's free seats wait for no limit


@dataclass(frozen=True, slots=True)
class LeaseView:
    """One lease: what it holds, who, since when."""

    id: str  # SESSION/N
    slots: Mapping[str, int]  # by limit
    token: int | None
    holder: str  # host:pid:task
    host: str | None
    since: datetime | None
    held_for: float | None  # seconds
    revoked: str | None  # by whom its release was forced
    heartbeat_age: float | None  # of its session, seconds
    alive: bool  # its session is
    run: str | None = None  # that it is for

    @property
    def session(self) -> str:
        return self.id.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class RequestView:
    """One acquire that waits."""

    id: str  # SESSION/N
    slots: Mapping[str, int]
    holder: str
    host: str | None
    since: datetime | None
    waited: float | None  # seconds
    blocked_by: str | None  # the limit it waits at; None: it stands aside until its process is heard of again
    position: int | None  # in line there, from 1
    priority: int
    heartbeat_age: float | None
    alive: bool

    @property
    def session(self) -> str:
        return self.id.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """The namespace as a whole."""

    exists: bool
    schema: int
    epoch: int
    server: str  # the id of the server run that its data is known from
    ttl: float  # seconds: T, the life of a session without heartbeat
    config: int  # version of the limits
    grace: float | None  # seconds left in which nothing is granted; None: no grace
    quiet: float  # seconds since any client called
    sessions: int
    places: int  # limits at which someone waits
    undrained: int  # places that may have room and are still to be worked off
    broken: int  # entries that `doctor` should see
    settings: Mapping[str, str]  # of runs: granularity, start_timeout, cancel_timeout, max_runtime (seconds)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of a limit, or one forced release."""

    id: str
    at: datetime
    what: str  # `set pool:database`
    by: str | None
    before: str | None
    after: str | None
    details: Mapping[str, str]


def limit_status(row: Reply, now: float) -> LimitStatus:
    """Return a limit from its row; `now` is the server's time."""
    limit, own = text(row, "limit") or "", number(row, "own")
    capacity = int(number(row, "capacity") or 0)
    if limit.endswith("*"):
        capacity = int(own) if own is not None else -1
    info, since = parse_info(text(row, "info")), number(row, "since")
    return LimitStatus(
        limit=limit,
        name=readable(limit),
        kind=limit.partition(":")[0],
        capacity=capacity if capacity >= 0 else None,
        used=int(number(row, "used") or 0),
        waiting=int(number(row, "waiting") or 0),
        oldest_wait=max(0.0, now - since / 1000) if since is not None else None,
        paused=capacity == 0,
        paused_from=info.paused_from,
        default=capacity >= 0 and capacity != own,
        description=info.description,
        origin=info.origin,
        more=bool(row.get("more")),
    )


def session_view(row: Reply) -> SessionView:
    """Return a session from its row."""
    started = number(row, "started")
    pids = (word.partition(":")[0] for word in (text(row, "pids") or "").split())
    return SessionView(
        id=text(row, "id") or "",
        host=text(row, "where"),
        program=text(row, "program"),
        pids=tuple(int(pid) for pid in pids if pid.isdecimal()),
        started=moment(started / 1000) if started is not None else None,
        heartbeat_age=number(row, "age"),
        alive=bool(row.get("alive")),
        leases=int(number(row, "leases") or 0),
        waiting=int(number(row, "waiting") or 0),
    )


def lease_view(name: str, line: Line, session: SessionView | None, now: float) -> LeaseView:
    """Return a lease from its stored line."""
    return LeaseView(
        id=name,
        slots=line.slots,
        token=line.token,
        holder=line.holder,
        host=session.host if session else None,
        since=moment(line.since) if line.since is not None else None,
        held_for=max(0.0, now - line.since) if line.since is not None else None,
        revoked=line.revoked,
        heartbeat_age=session.heartbeat_age if session else None,
        alive=session is not None and session.alive,
        run=line.run,
    )


def request_view(
    name: str,
    line: Line,
    session: SessionView | None,
    now: float,
    *,
    blocked_by: str | None,
    position: int | None,
) -> RequestView:
    """Return a waiting request from its stored line."""
    return RequestView(
        id=name,
        slots=line.slots,
        holder=line.holder,
        host=session.host if session else None,
        since=moment(line.since) if line.since is not None else None,
        waited=max(0.0, now - line.since) if line.since is not None else None,
        blocked_by=blocked_by,
        position=position,
        priority=line.priority,
        heartbeat_age=session.heartbeat_age if session else None,
        alive=session is not None and session.alive,
    )


def place_limit(place: str | None) -> str | None:
    """Return the limit of the place a group waits in: `waiters:pool:database` gives `pool:database`."""
    return place.partition(":")[2] if place else None
