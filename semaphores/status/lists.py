"""Lists: sessions, leases and waiting requests, page by page; each call looks at a bounded number of entries."""

from __future__ import annotations

from semaphores.scripts.asking import Asking, Reply, number, rows, text
from semaphores.scripts.stored import Line, parse_line
from semaphores.status.views import (
    LeaseView,
    RequestView,
    SessionView,
    lease_view,
    place_limit,
    request_view,
    session_view,
)

__all__ = ["leases", "requests", "sessions"]

PAGE = 200  # sessions named in one question; the server looks at as many entries a call, and tells what is left


def sessions() -> Asking[tuple[SessionView, ...]]:
    """List all sessions, the longest running first."""
    found: dict[str, SessionView] = {}
    cursor: str | None = "0"
    while cursor is not None:
        reply = yield {"ask": "sessions", "cursor": cursor}
        found |= {view.id: view for view in map(session_view, rows(reply))}
        cursor = text(reply, "cursor")
    return tuple(sorted(found.values(), key=lambda view: (view.started is None, view.started, view.id)))


def leases(limit: str | None = None) -> Asking[tuple[LeaseView, ...]]:
    """List all leases, or those that hold slots of `limit` (as stored: `pool:database`), the oldest first."""
    if limit is not None:
        return (yield from _holders(limit))
    every = yield from sessions()
    by_id = {session.id: session for session in every}
    pages = yield from _pages("leases", [session.id for session in every])
    found = {
        name: lease_view(
            name, parse_line(text(row, "line") or ""), by_id.get(_session(name)), number(page, "now") or 0.0
        )
        for page in pages
        for row in rows(page)
        if (name := text(row, "id")) is not None
    }
    return tuple(sorted(found.values(), key=_age))


def requests(limit: str | None = None) -> Asking[tuple[RequestView, ...]]:
    """List all requests that wait, or those that need `limit`; the first in line first, limit by limit."""
    every = yield from sessions()
    by_id = {session.id: session for session in every}
    pages = yield from _pages("requests", [session.id for session in every if session.waiting])
    lines: dict[str, tuple[Line, str | None]] = {}
    reserving, now = None, 0.0
    for page in pages:
        places = page.get("places")
        reserving, now = text(page, "reserving"), number(page, "now") or 0.0
        for row in rows(page):
            line = parse_line(text(row, "line") or "")
            place = places.get(line.group) if isinstance(places, dict) and not row.get("aside") else None
            lines[text(row, "id") or ""] = line, place_limit(place)
    found: list[RequestView] = []
    positions: dict[str, int] = {}
    for name, (line, place) in sorted(lines.items(), key=lambda item: _in_line(item[1][0], item[1][1], reserving)):
        if place is not None:
            positions[place] = positions.get(place, 0) + 1
        position = positions[place] if place is not None else None
        if limit is None or limit in line.slots:
            session = by_id.get(_session(name))
            found.append(request_view(name, line, session, now, blocked_by=place, position=position))
    return tuple(found)


def _holders(limit: str) -> Asking[tuple[LeaseView, ...]]:
    found: dict[str, LeaseView] = {}
    offset: int | None = 0
    while offset is not None:
        reply = yield {"ask": "holders", "limit": limit, "offset": offset}
        told = reply.get("sessions")
        by_id = {name: session_view(row) for name, row in told.items()} if isinstance(told, dict) else {}
        for row in rows(reply):
            name, line = text(row, "id") or "", parse_line(text(row, "line") or "")
            found[name] = lease_view(name, line, by_id.get(_session(name)), number(reply, "now") or 0.0)
        following = number(reply, "next")
        offset = int(following) if following is not None else None
    return tuple(sorted(found.values(), key=_age))


def _pages(ask: str, ids: list[str]) -> Asking[list[Reply]]:
    """Ask about sessions until nothing is left; a session with many entries takes several turns."""
    todo: list[object] = [[session, "0"] for session in ids]
    pages: list[Reply] = []
    while todo:
        now, todo = todo[:PAGE], todo[PAGE:]
        reply = yield {"ask": ask, "todo": now}
        pages.append(reply)
        left = reply.get("left")
        todo = [*left, *todo] if isinstance(left, list) else todo
    return pages


def _session(name: str) -> str:
    return name.rpartition("/")[0]


def _age(lease: LeaseView) -> tuple[bool, float, str]:
    return lease.since is None, lease.since.timestamp() if lease.since else 0.0, lease.id


def _in_line(line: Line, place: str | None, reserving: str | None) -> tuple[bool, str, bool, int]:
    first = line.group is not None and line.group == reserving
    return place is None, place or "", not first, line.order or 0
