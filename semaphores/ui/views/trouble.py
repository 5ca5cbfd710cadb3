"""Trouble: what is shown where a view cannot be: what was not found, a server that is away."""

from __future__ import annotations

from semaphores.errors import NotFound, Refused, SemaphoresError, ServerError, UsageError
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown, View

__all__ = ["problem", "safely", "status_of"]


def problem(text: str, status: int, back: str = "/") -> Shown:
    """Return a page that says what is wrong."""
    title = {404: "Not found", 503: "The server is away"}.get(status, "This did not work")
    return Shown("problem.html", title, {"text": text, "back": back}, nav="", status=status, live=False)


def safely(view: View, desk: Desk, query: Query) -> Shown:
    """Return what a view shows, or what is wrong with it."""
    try:
        return view(desk, query)
    except SemaphoresError as error:
        return problem(str(error), status_of(error))


def status_of(error: SemaphoresError) -> int:
    """Return the HTTP status that an error is."""
    if isinstance(error, UsageError):
        return 422
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Refused):
        return 409
    return 503 if isinstance(error, ServerError) else 500
