"""Edit: the form that sets a limit, a new one or one that is there, with what was wrong about it."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.errors import InvalidName
from semaphores.names import (
    DEFAULT_POOL,
    RUNS,
    pool_limit,
    tag_limit,
    tag_value_limit,
    unique_value_limit,
)
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query, local
from semaphores.ui.rendering import Shown
from semaphores.ui.views.limit import known_name
from semaphores.wording import shown

__all__ = ["KINDS", "form", "limit_of", "view"]

KINDS: Mapping[str, str] = {
    "pool": "a pool",
    "default": "every pool without a limit of its own",
    "runs": "all runs in progress",
    "tag": "all runs with a tag, whatever its value",
    "value": "runs with one value of a tag (KEY=VALUE)",
    "unique": "each value of a tag on its own",
}
_NAMELESS = {"runs": RUNS, "default": DEFAULT_POOL}


def view(desk: Desk, query: Query) -> Shown:
    """Return the form for a limit: `name` is one that is there; without it, for a new one."""
    name = query.exact("name")
    if not name:
        return form({"kind": query.choice("kind", *KINDS), "back": query.exact("back")})
    (limit,) = desk.client.limits_named([known_name(name)])
    capacity = limit.paused_from if limit.paused_from is not None else limit.capacity
    told = {
        "limit": name,
        "capacity": "" if limit.default else "-1" if capacity is None else str(capacity),
        "description": limit.description or "",
        "back": query.exact("back"),
    }
    return form(told)


def form(told: Mapping[str, str], problems: Mapping[str, str] | None = None) -> Shown:
    """Return the form filled in; `problems` by field."""
    limit = told.get("limit", "")
    facts = {
        "limit": limit,
        "kinds": KINDS,
        "told": {name: told.get(name, "") for name in ("kind", "name", "capacity", "description")},
        "problems": problems or {},
        "back": local(told.get("back", "")),
    }
    title = f"Edit {shown(limit)}" if limit else "Add a limit"
    return Shown("edit.html", title, facts, status=422 if problems else 200, live=False)


def limit_of(kind: str, name: str) -> str:
    """Return the stored name of a limit as the form tells it. Raises InvalidName."""
    if kind in _NAMELESS:
        return _NAMELESS[kind]
    if kind == "tag":
        return tag_limit(name)
    if kind == "unique":
        return unique_value_limit(name.removesuffix("=*"))
    if kind == "value":
        key, equals, value = name.partition("=")
        if not equals:
            raise InvalidName("tag", name, "KEY=VALUE")
        return tag_value_limit(key, value)
    return pool_limit(name)
