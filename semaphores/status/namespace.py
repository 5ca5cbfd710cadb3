"""Namespace: all limits with their usage, the namespace's own state, and the audit."""

from __future__ import annotations

from semaphores.scripts.asking import Asking, chunks, number, rows, text, words
from semaphores.scripts.stored import moment
from semaphores.status.views import AuditEntry, LimitStatus, NamespaceView, limit_status

__all__ = ["audit", "limit_names", "limits_named", "status", "summary"]

PAGE = 200  # names in one question
AUDIT_PAGE = 500


def status() -> Asking[tuple[LimitStatus, ...]]:
    """Return every limit that has a capacity, usage or waiters, by name."""
    names = yield from limit_names()
    return (yield from limits_named(sorted(names)))


def limit_names() -> Asking[set[str]]:
    """Return the names of all limits that are set, held or waited for."""
    names: set[str] = set()
    cursors: dict[str, str] = {"limits": "0", "places": "0", "sessions": "0"}
    left: list[object] = []
    while cursors or left:
        reply = yield {"ask": "names", **cursors, "left": left}
        names |= set(words(reply, "names"))
        cursors = {name: cursor for name in cursors if (cursor := text(reply, name)) is not None}
        found = reply.get("left")
        left = found if isinstance(found, list) else []
    return names


def limits_named(names: list[str]) -> Asking[tuple[LimitStatus, ...]]:
    """Return these limits as they are now, whether or not anything is known of them."""
    found: list[LimitStatus] = []
    for page in chunks(names, PAGE):
        left = page
        while left:
            reply = yield {"ask": "limits", "names": left}
            found += [limit_status(row, number(reply, "now") or 0.0) for row in rows(reply)]
            left = words(reply, "left")
    return tuple(found)


def _texts(told: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def summary() -> Asking[NamespaceView]:
    """Return the state of the namespace as a whole."""
    reply = yield {"ask": "meta"}

    def count(name: str) -> int:
        return int(number(reply, name) or 0)

    return NamespaceView(
        exists=bool(reply.get("known")),
        schema=count("schema"),
        epoch=int(text(reply, "epoch") or 0),
        server=text(reply, "server") or "",
        ttl=number(reply, "ttl") or 0.0,
        config=count("config"),
        grace=number(reply, "grace"),
        quiet=number(reply, "quiet") or 0.0,
        sessions=count("sessions"),
        places=count("places"),
        undrained=count("undrained"),
        broken=count("broken"),
        settings=_texts(reply.get("settings")),
    )


def audit(count: int = 50) -> Asking[tuple[AuditEntry, ...]]:
    """Return the latest `count` changes of limits and forced releases, newest first."""
    found: list[AuditEntry] = []
    before: str | None = None
    while len(found) < count:
        wanted = min(AUDIT_PAGE, count - len(found))
        reply = yield {"ask": "audit", "count": wanted, "before": before}
        page = rows(reply)
        found += [_entry(text(row, "id") or "0-0", row.get("fields")) for row in page]
        if len(page) < wanted:
            break
        before = found[-1].id
    return tuple(found)


def _entry(name: str, fields: object) -> AuditEntry:
    told = {str(name): str(value) for name, value in fields.items()} if isinstance(fields, dict) else {}
    return AuditEntry(
        id=name,
        at=moment(int(name.partition("-")[0]) / 1000),
        what=told.pop("what", "unknown"),
        by=told.pop("by", None),
        before=told.pop("before", None),
        after=told.pop("after", None),
        details=told,
    )
