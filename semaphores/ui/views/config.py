"""Config: what is in force, who changed what when, and what `doctor` says of it all."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown

__all__ = ["view"]

FIRST, MOST = 25, 500  # entries of the audit
SETTINGS: Mapping[str, tuple[str, str]] = {  # of runs: what holds without one, and what it means
    "granularity": ("op", "who holds the slots of pools: each op while it runs, or the whole run"),
    "start_timeout": ("none", "seconds that a granted run may take to start"),
    "cancel_timeout": ("180", "seconds that a run may take to end when it is canceled"),
    "max_runtime": ("none", "seconds that a run may take"),
}


def view(desk: Desk, query: Query) -> Shown:
    """Return the configuration, the audit and the health."""
    namespace = desk.client.namespace()
    count = query.number("count", FIRST, 1, MOST)
    audit = desk.client.audit(count + 1)
    examined, running = desk.health.latest()
    settings = [(name, namespace.settings.get(name), default, meaning) for name, (default, meaning) in SETTINGS.items()]
    facts = {
        "namespace": namespace,
        "settings": settings,
        "rules": [
            limit
            for limit in desk.watch.limits(desk.settings.refresh / 2 if query.live else 0.0)
            if limit.is_rule or limit.limit == "runs"
        ],
        "audit": audit[:count],
        "more": len(audit) > count and count < MOST,
        "count": count,
        "examined": examined,
        "running": running,
    }
    return Shown("config.html", "Config", facts, nav="/config")
