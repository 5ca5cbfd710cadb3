"""`semaphores job`: the jobs that workers told of, and what is missing for their limits to hold anybody back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from semaphores.cli.about import executor_text, ops_of
from semaphores.cli.render import json_text, line, plain, show
from semaphores.cli.run_columns import pools_text, tags_text
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun
from semaphores.errors import InvalidName, NotFound
from semaphores.names import DEFAULT_POOL, pool_limit, tag_limit, tag_value_limit, unique_value_limit
from semaphores.names import plain as plain_name
from semaphores.runs import JobView
from semaphores.runs.spec import PRIORITY_TAG, RUNTIME_TAGS
from semaphores.status import LimitStatus
from semaphores.wording import seconds

app = noun("Jobs: what workers told of; with their pools, tags, workers and runs.")


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List the jobs that workers told of, by name."""
    with open_client(ctx) as client:
        show(client.runs.jobs(), as_json=json, empty="no jobs yet: 'semaphores worker MODULE' tells of its jobs")


@app.command("show", cls=Verb)
def show_(ctx: typer.Context, job: str = typer.Argument(metavar="JOB"), json: Json = False) -> None:
    """Show a job, its ops with their pools and tags, and a warning for each limit that it lacks."""
    try:
        plain_name("job", job)
    except InvalidName:
        raise NotFound("job", job) from None
    with open_client(ctx) as client:
        found = client.runs.job(job)
        warnings = warnings_of(found, client.limits.list())
    if json:
        told = plain(found)
        assert isinstance(told, dict)
        print(json_text({**told, "warnings": warnings}))
        return
    for name, text in _facts(found).items():
        if text:
            line(f"{name:<10} {text}")
    ops = ops_of(found)
    if ops:
        line()
        show(ops, as_json=False, empty="")
    if warnings:
        line()
    for warning in warnings:
        line(f"WARNING: {warning}")


def warnings_of(job: JobView, limits: Sequence[LimitStatus]) -> list[str]:
    """Return what a job lacks: limits of its pools and tags, and workers. Pure."""
    known = {limit.limit: limit for limit in limits}

    def is_set(limit: str) -> bool:
        """Whether somebody set it; -1 says that it is meant to be unlimited."""
        found = known.get(limit)
        return found is not None and (found.capacity is not None or found.origin is not None)

    warnings = [
        f"pool {pool!r} has no limit, so it holds nobody back; 'semaphores pool set {pool} N' gives it one"
        for pool in sorted(job.pools)
        if not is_set(pool_limit(pool)) and not is_set(DEFAULT_POOL)
    ]
    for key, value in sorted(job.tags.items()):
        matching = (tag_limit(key), tag_value_limit(key, value), unique_value_limit(key))
        if key not in (PRIORITY_TAG, *RUNTIME_TAGS) and not any(map(is_set, matching)):
            limit = f"tag:{key}={value}"
            warnings.append(f"no limit matches tag {key}={value}; 'semaphores limit set {limit} N' sets one")
    if not job.workers:
        waits = f", and {job.queued} of its runs wait" if job.queued else ""
        warnings.append(
            f"no worker is alive that has it on queue {job.queue!r}{waits}; 'semaphores worker MODULE' starts one"
        )
    return warnings


def _facts(job: JobView) -> dict[str, str]:
    runtime = "" if job.max_runtime is None else f", ended after {seconds(job.max_runtime)}"
    attempts = "1 attempt" if job.max_attempts == 1 else f"{job.max_attempts} attempts"
    takes = job.about.get("args")
    args = [name if needed else f"[{name}]" for name, needed in takes.items()] if isinstance(takes, Mapping) else []
    return {
        "job": f"{job.name}, location {job.location}",
        "says": " ".join(str(job.about.get("description") or "").split()),
        "queue": f"{job.queue}, priority {job.priority}, {attempts}{runtime}",
        "runs": f"{job.queued} queued, {job.running} running",
        "workers": str(job.workers),
        "executor": executor_text(job.about.get("executor")),
        "args": ", ".join(args),
        "tags": tags_text(job.tags),
        "pools": pools_text(job.pools),
    }
