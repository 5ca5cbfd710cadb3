"""Confirm: what is about to be ended or deleted, and what that means, before it is done."""

from __future__ import annotations

from semaphores.errors import NotFound
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query, local
from semaphores.ui.rendering import Shown
from semaphores.ui.views.limit import known_name
from semaphores.why import LeaseWhy
from semaphores.wording import shown

__all__ = ["view"]


def view(desk: Desk, query: Query) -> Shown:
    """Return the question for one of: delete a limit, release a lease, cancel a run. Raises NotFound."""
    what = query.choice("what", "delete", "release", "cancel")
    facts: dict[str, object] = {"what": what, "back": local(query.exact("back"))}
    if what == "delete":
        name = known_name(query.exact("name"))
        facts["limit"] = desk.client.limits_named([name])[0]
        title = f"Delete the limit of {shown(name)}?"
    elif what == "release":
        found = desk.client.why(query.text("lease"))
        if not isinstance(found, LeaseWhy):
            raise NotFound("lease", query.text("lease"))
        facts["lease"] = found.lease
        facts["ttl"] = desk.client.namespace().ttl
        title = "Free the slots of this lease?"
    else:
        facts["run"] = desk.client.runs.get(query.text("run")).run
        title = f"Cancel run {query.text('run')}?"
    return Shown("confirm.html", title, facts, nav="", live=False)
