"""Limit: one limit from near: who holds it, who waits in which order and why, and its last hour."""

from __future__ import annotations

import re

from semaphores.errors import NotFound
from semaphores.ui.desk import Desk
from semaphores.ui.drawing import chart
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown
from semaphores.wording import shown

__all__ = ["known_name", "view"]

FIRST, MOST = 50, 200  # waiters shown at first, and at all
_NAME = re.compile(r"runs|pool:[^ ]+|tag:[^= ][^ ]*")


def view(desk: Desk, query: Query) -> Shown:
    """Return one limit. Raises NotFound for what cannot be one."""
    name = known_name(query.exact("name"))
    (limit,) = desk.client.limits_named([name])
    count = MOST if query.text("line") == "long" else FIRST
    offset = query.number("from", 0, 0, 10**9)
    holders = desk.client.holders(name, offset)
    waiters = desk.client.waiters(name, count) if limit.waiting else None
    namespace = desk.client.namespace()
    facts = {
        "namespace": namespace,
        "limit": limit,
        "holders": holders,
        "offset": offset,
        "waiters": waiters,
        "long": count == MOST,
        "granularity": namespace.settings.get("granularity", "op"),
        "chart": chart(desk.watch.history(name)),
    }
    return Shown("limit.html", shown(name), facts)


def known_name(name: str) -> str:
    """Return a name that a limit can have. Raises NotFound."""
    if not _NAME.fullmatch(name) or len(name) > 2048:
        raise NotFound("limit", name[:80])
    return name
