"""Submit: the form that queues a run of a job."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.runs import JobView
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown

__all__ = ["FIELDS", "form", "view"]

FIELDS = ("args", "tags", "config", "priority", "queue")


def view(desk: Desk, query: Query) -> Shown:
    """Return the form for a job. Raises NotFound."""
    return form(desk.client.runs.job(query.text("job")), {})


def form(job: JobView, told: Mapping[str, str], problems: Mapping[str, str] | None = None) -> Shown:
    """Return the form filled in; `problems` by field."""
    arguments = job.about.get("args")
    known = dict(arguments) if isinstance(arguments, dict) else {}
    facts = {
        "job": job,
        "told": {name: told.get(name, "") for name in FIELDS},
        "needed": sorted(name for name, required in known.items() if required),
        "optional": sorted(name for name, required in known.items() if not required),
        "problems": problems or {},
    }
    status = 422 if problems else 200
    return Shown("submit.html", f"Submit {job.name}", facts, nav="/jobs", status=status, live=False)
