"""Run: one run: why it is where it is, what its ops did when, and its log."""

from __future__ import annotations

from semaphores.errors import NotFound
from semaphores.runs.why import RunWhy
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown
from semaphores.ui.timeline import EVENTS, time_line

__all__ = ["view"]

LINES = 200  # of its log shown at first


def view(desk: Desk, query: Query) -> Shown:
    """Return one run. Raises NotFound."""
    name = query.text("id")
    found = desk.client.why(name)
    if not isinstance(found, RunWhy):
        raise NotFound("run", name)
    log = desk.logs.of(name)
    lines = [line for line in log if not (line.op and line.kind in EVENTS and not line.text)]
    whole = query.text("log") == "all"
    facts = {
        "namespace": desk.client.namespace(),
        "why": found,
        "run": found.run,
        "line": time_line(found.run, log),
        "log": lines if whole else lines[-LINES:],
        "lines": len(lines),
        "whole": whole,
    }
    return Shown("run.html", f"Run {name}", facts, nav="/runs")
