"""Runs: the queue, what is in progress and the history, a page at a time, filtered on the server."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.errors import UsageError
from semaphores.runs.views import FINISHED, IN_PROGRESS, STATUSES
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown

__all__ = ["view"]

PAGE = 50
TABS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "": ("All", STATUSES),
    "queue": ("Queue", ("QUEUED",)),
    "progress": ("In progress", IN_PROGRESS),
    "history": ("Finished", FINISHED),
    **{status: (status.capitalize(), (status,)) for status in FINISHED},
}


def view(desk: Desk, query: Query) -> Shown:
    """Return a page of runs. Raises UsageError for a filter that cannot be."""
    tab = query.choice("show", *TABS)
    job, tag = query.text("job") or None, _tag(query.text("tag"))
    counts = desk.client.runs.counts()
    page = desk.client.runs.page(TABS[tab][1], job=job, tag=tag, after=query.text("after") or None, count=PAGE)
    facts = {
        "namespace": desk.client.namespace(),
        "page": page,
        "tabs": [(name, title, sum(counts[one] for one in statuses)) for name, (title, statuses) in TABS.items()],
        "tab": tab,
        "job": job,
        "tag": query.text("tag"),
        "filtered": bool(job or tag),
        "total": sum(counts.values()),
        "later": bool(query.text("after")),
    }
    return Shown("runs.html", "Runs", facts, nav="/runs")


def _tag(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"tag {text!r} has no value: write KEY=VALUE")
    return key, value
