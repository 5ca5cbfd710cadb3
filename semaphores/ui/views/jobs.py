"""Jobs: what workers told of: what can be submitted, who has its code, and which of its limits are missing."""

from __future__ import annotations

from semaphores.names import pool_limit
from semaphores.ui.desk import Desk
from semaphores.ui.query import Query
from semaphores.ui.rendering import Shown

__all__ = ["view"]


def view(desk: Desk, query: Query) -> Shown:
    """Return all jobs."""
    jobs = desk.client.runs.jobs()
    names = sorted({pool_limit(pool) for job in jobs for pool in job.pools})
    capacities = {limit.limit: limit.capacity for limit in (desk.client.limits_named(names) if names else ())}
    pools = {
        job.name: [(pool_limit(pool), capacities.get(pool_limit(pool)) is None) for pool in sorted(job.pools)]
        for job in jobs
    }
    facts = {"namespace": desk.client.namespace(), "jobs": jobs, "pools": pools}
    return Shown("jobs.html", "Jobs", facts, nav="/jobs")
