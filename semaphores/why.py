"""Why: what blocks a request, who holds that, since when, the position in line; or what a lease, session or limit is.

One question a request: what it tells is of one moment. Nothing here writes, and nothing talks to a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

from semaphores.errors import Holder, NotFound
from semaphores.scripts.asking import Asking, Reply, number, rows, text
from semaphores.scripts.stored import Line, parse_line
from semaphores.status.lists import leases, requests, sessions
from semaphores.status.namespace import limit_names, limits_named, summary
from semaphores.status.views import (
    LeaseView,
    LimitStatus,
    RequestView,
    SessionView,
    lease_view,
    place_limit,
    request_view,
    session_view,
)
from semaphores.wording import readable, seconds

__all__ = ["LimitWhy", "Need", "RequestWhy", "SessionWhy", "LeaseWhy", "Why", "need_of", "why"]

MOST_LISTED = 20  # leases and requests told of a session or limit

_NUMBERED = re.compile(r"[A-Za-z0-9_.-]{1,64}/[0-9]{1,16}")
_REASONS = {
    "paused": "paused: nothing is granted until it is resumed",
    "heavy": "too small: this request will never fit, it fails when it is met",
    "full": "full",
    "reserved": "kept free for a request that was passed over too often",
    "line": "others wait first",
    "free": "free",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One limit that a request needs."""

    limit: str
    slots: int
    used: int
    capacity: int | None  # None is unlimited
    state: str  # free | full | paused | line (others are before it) | reserved | heavy
    blocks: bool  # it waits here
    before: int  # requests before it in this line
    holders: tuple[Holder, ...]  # the oldest, up to 10

    def __str__(self) -> str:
        capacity = "unlimited" if self.capacity is None else str(self.capacity)
        line = f"; {self.before} before it in line" if self.before else ""
        held = f"; held by {'; '.join(map(str, self.holders))}" if self.holders else ""
        reason = _REASONS.get(self.state, self.state)
        return f"{readable(self.limit)}: {self.used} of {capacity} held, {reason}{line}{held}"


@dataclass(frozen=True, slots=True)
class RequestWhy:
    """A request that waits, and why."""

    request: RequestView
    needs: tuple[Need, ...]  # in the order in which limits are tried
    grace: float | None  # seconds left in which nothing is granted at all

    @property
    def blocker(self) -> Need | None:
        """The limit it waits at; None while it stands aside."""
        return next((need for need in self.needs if need.blocks), None)

    def __str__(self) -> str:
        waited = f", waiting for {seconds(self.request.waited)}" if self.request.waited is not None else ""
        who = f"request {self.request.id} ({self.request.holder}{waited})"
        if self.grace is not None:
            return f"{who} waits: nothing is granted for another {seconds(self.grace)}, since data is new or was lost"
        if self.blocker is None:
            return f"{who} stands aside until its process is heard of again: it did not listen when its turn came"
        return f"{who} is number {self.request.position} in line for {self.blocker}"


@dataclass(frozen=True, slots=True)
class LeaseWhy:
    """A lease: it waits for nothing."""

    lease: LeaseView

    def __str__(self) -> str:
        since = f" since {self.lease.since.isoformat(timespec='seconds')}" if self.lease.since else ""
        held = f" ({seconds(self.lease.held_for)})" if self.lease.held_for is not None else ""
        what = ", ".join(f"{readable(limit)} x {slots}" for limit, slots in self.lease.slots.items())
        revoked = f"; its release was forced by {self.lease.revoked}" if self.lease.revoked else ""
        run = f" of run {self.lease.run}" if self.lease.run else ""
        return f"lease {self.lease.id}{run} is granted{since}{held}: {what}, token {self.lease.token}{revoked}"


@dataclass(frozen=True, slots=True)
class SessionWhy:
    """A session with what it holds and waits for (up to 20 each)."""

    session: SessionView
    leases: tuple[LeaseView, ...]
    requests: tuple[RequestView, ...]

    def __str__(self) -> str:
        age = (
            f"heard of {seconds(self.session.heartbeat_age)} ago" if self.session.heartbeat_age is not None else "over"
        )
        where = f" ({self.session.program} on {self.session.host})" if self.session.host else ""
        return (
            f"session {self.session.id}{where}: {age}; {self.session.leases} leases,"
            f" {self.session.waiting} requests waiting"
        )


@dataclass(frozen=True, slots=True)
class LimitWhy:
    """A limit with who holds it and who waits for it (up to 20 each)."""

    limit: LimitStatus
    leases: tuple[LeaseView, ...]
    requests: tuple[RequestView, ...]

    def __str__(self) -> str:
        capacity = "unlimited" if self.limit.capacity is None else str(self.limit.capacity)
        paused = ", paused" if self.limit.paused else ""
        return f"{self.limit.name}: {self.limit.used} of {capacity} held, {self.limit.waiting} waiting{paused}"


Why = RequestWhy | LeaseWhy | SessionWhy | LimitWhy


def why(name: str) -> Asking[Why]:
    """Say why a request waits, or what a lease, session or limit is.

    `name` is SESSION/N, a session, a limit as stored (`pool:database`) or a pool's plain name.
    Raises NotFound, with the nearest known name.
    """
    if _NUMBERED.fullmatch(name):
        return (yield from _why_numbered(name))
    found = yield from _why_session(name)
    if found is not None:
        return found
    names = yield from limit_names()
    for limit in (name, f"pool:{name}"):
        if limit in names:
            return (yield from _why_limit(limit))
    every = yield from sessions()
    raise NotFound("limit or session", name, _nearest(name, [*names, *(session.id for session in every)]))


def _why_numbered(name: str) -> Asking[Why]:
    reply = yield {"ask": "why", "id": name}
    line, now = parse_line(text(reply, "line") or ""), number(reply, "now") or 0.0
    row = reply.get("session")
    session = session_view(row) if isinstance(row, dict) else None
    state = reply.get("state")
    if state == "held":
        return LeaseWhy(lease_view(name, line, session, now))
    if state == "seat" and session is not None:
        return (yield from _why_session(session.id)) or SessionWhy(session, (), ())
    if state is None:
        yield from _not_found(name)
    return (yield from _why_waiting(name, reply, line, session))


def _why_waiting(name: str, reply: Reply, line: Line, session: SessionView | None) -> Asking[Why]:
    place = place_limit(text(reply, "place"))
    needs = tuple(need_of(row, place) for row in rows(reply, "limits"))
    position = next((need.before + 1 for need in needs if need.blocks), None)
    now = number(reply, "now") or 0.0
    request = request_view(name, line, session, now, blocked_by=place, position=position)
    namespace = yield from summary()
    return RequestWhy(request, needs, namespace.grace)


def _why_session(name: str) -> Asking[SessionWhy | None]:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        return None
    reply = yield {"ask": "session", "id": name}
    row = reply.get("row")
    if not isinstance(row, dict):
        return None
    session, now = session_view(row), number(reply, "now") or 0.0
    held = yield {"ask": "leases", "todo": [[name, "0"]]}
    waits = yield {"ask": "requests", "todo": [[name, "0"]]}
    places = waits.get("places")
    found_leases = [lease_view(each, line, session, now) for each, line in _lines(held)]
    found_requests = []
    for each, line in _lines(waits):
        place = place_limit(places.get(line.group)) if isinstance(places, dict) else None
        found_requests.append(request_view(each, line, session, now, blocked_by=place, position=None))
    return SessionWhy(session, tuple(found_leases[:MOST_LISTED]), tuple(found_requests[:MOST_LISTED]))


def _why_limit(name: str) -> Asking[LimitWhy]:
    limit = (yield from limits_named([name]))[0]
    held = yield from leases(name)
    waits = (yield from requests(name)) if limit.waiting else ()
    return LimitWhy(limit, held[:MOST_LISTED], waits[:MOST_LISTED])


def _not_found(name: str) -> Asking[None]:
    known = {session.id for session in (yield from sessions())}
    session = name.rpartition("/")[0]
    kind = "lease or request"
    if session not in known:
        raise NotFound(kind, name, _nearest(name, known))
    reply = yield {"ask": "leases", "todo": [[session, "0"]]}
    waits = yield {"ask": "requests", "todo": [[session, "0"]]}
    raise NotFound(kind, name, _nearest(name, [each for each, _ in (*_lines(reply), *_lines(waits))]))


def need_of(row: Reply, place: str | None) -> Need:
    """Return a limit as it is explained; `place`: the limit that is waited at."""
    capacity = int(number(row, "capacity") or 0)
    limit = text(row, "limit") or ""
    return Need(
        limit=limit,
        slots=int(number(row, "slots") or 0),
        used=int(number(row, "used") or 0),
        capacity=capacity if capacity >= 0 else None,
        state=text(row, "state") or "free",
        blocks=limit == place,
        before=int(number(row, "before") or 0),
        holders=tuple(
            Holder(
                text(holder, "lease") or "",
                unquote(text(holder, "name") or "unknown"),
                number(holder, "since") or 0.0,
                text(holder, "run"),
            )
            for holder in rows(row, "holders")
        ),
    )


def _lines(reply: Reply) -> list[tuple[str, Line]]:
    return [(text(row, "id") or "", parse_line(text(row, "line") or "")) for row in rows(reply)]


def _nearest(name: str, known: Iterable[str]) -> str | None:
    names = {each.partition(":")[2] if ":" in each and ":" not in name else each: each for each in known}
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return names[close[0]] if close else None
