"""Workers: the processes that take runs, and all sessions: where they are, when they were heard of, what they hold."""

from __future__ import annotations

from semaphores.status import SessionView
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown

__all__ = ["view"]

PAGE = 100


def view(desk: Desk, query: Query) -> Shown:
    """Return workers, and a page of sessions: first those that are not heard of, then the longest running."""
    workers = desk.client.runs.workers()
    every = sorted(desk.client.sessions(), key=lambda session: (session.alive, _age(session)))
    pages = max(1, -(-len(every) // PAGE))
    number = query.number("page", 1, 1, pages)
    facts = {
        "namespace": desk.client.namespace(),
        "workers": workers,
        "sessions": every[(number - 1) * PAGE : number * PAGE],
        "known": len(every),
        "number": number,
        "pages": pages,
    }
    return Shown("workers.html", "Workers and sessions", facts, nav="/workers")


def _age(session: SessionView) -> float:
    return session.started.timestamp() if session.started else 0.0
