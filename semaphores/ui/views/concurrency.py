"""Concurrency: every limit with its usage: filtered, sorted and cut into pages here, so that thousands are no burden.

Which rows a page has comes from the last look at everything; what they show is asked for when they are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from semaphores.status import LimitStatus
from semaphores.ui.desk import Desk
from semaphores.ui.drawing import Chart, spark
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown
from semaphores.wording import shown

__all__ = ["Row", "view"]

PAGE = 50  # rows


@dataclass(frozen=True, slots=True)
class Row:
    """One limit and its last hour."""

    limit: LimitStatus
    spark: Chart


def _is_limited(limit: LimitStatus) -> bool:
    return limit.kind != "tag" or limit.capacity is not None or limit.origin is not None or limit.waiting > 0


TABS: Mapping[str, tuple[str, Callable[[LimitStatus], bool]]] = {
    "": ("Limits", _is_limited),
    "waiting": ("Waiting", lambda limit: limit.waiting > 0),
    "full": ("Full", lambda limit: not limit.is_rule and limit.free == 0 and limit.used > 0),
    "paused": ("Paused", lambda limit: limit.paused),
    "all": ("All, unlimited tags too", lambda limit: True),
}

SORTS: Mapping[str, Callable[[LimitStatus], object]] = {
    "name": lambda limit: limit.limit,
    "used": lambda limit: (-(limit.used / max(1, limit.capacity or 10**6)), -limit.used, limit.limit),
    "waiting": lambda limit: (-limit.waiting, -(limit.oldest_wait or 0.0), limit.limit),
    "wait": lambda limit: (-(limit.oldest_wait or 0.0), limit.limit),
}


def view(desk: Desk, query: Query) -> Shown:
    """Return a page of limits."""
    every = desk.watch.limits(desk.settings.refresh / 2 if query.live else 0.0)
    tab, words = query.choice("show", *TABS), query.text("q").lower()
    counts = {name: sum(map(test, every)) for name, (_, test) in TABS.items()}
    found = [limit for limit in every if TABS[tab][1](limit) and _matches(limit, words)]
    order = query.choice("sort", *SORTS)
    if order != "name":
        found.sort(key=SORTS[order])  # type: ignore[arg-type]
    pages = max(1, -(-len(found) // PAGE))
    number = query.number("page", 1, 1, pages)
    names = [limit.limit for limit in found[(number - 1) * PAGE : number * PAGE]]
    facts = {
        "namespace": desk.client.namespace(),
        "rows": _rows(desk, names),
        "tabs": [(name, title, counts[name]) for name, (title, _) in TABS.items()],
        "tab": tab,
        "sort": order,
        "words": query.text("q"),
        "total": len(found),
        "known": len(every),
        "number": number,
        "pages": pages,
    }
    return Shown("concurrency.html", "Concurrency", facts)


def _rows(desk: Desk, names: Sequence[str]) -> list[Row]:
    fresh = desk.client.limits_named(names) if names else ()
    return [Row(limit, spark(desk.watch.history(limit.limit))) for limit in fresh]


def _matches(limit: LimitStatus, words: str) -> bool:
    if not words:
        return True
    text = f"{shown(limit.limit)} {limit.description or ''}".lower()
    return all(word in text for word in words.split())
