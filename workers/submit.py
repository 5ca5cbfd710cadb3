"""Submit: queue a run of a job from Python, with everything its definition says. Nothing here runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from anyio import to_thread

from semaphores.client import Client
from semaphores.connecting import default_connections
from semaphores.errors import NotFound
from semaphores.runs import Runs, RunSpec, Submitted
from semaphores.runs.spec import OnConflict
from workers.definitions import place_name
from workers.job import Job, validate_run_config

__all__ = ["run_spec", "submit", "submit_async"]

P = ParamSpec("P")
R = TypeVar("R")


def run_spec(
    job: Job,
    args: Mapping[str, object] | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    priority: int | None = None,
    queue: str | None = None,
    config: Mapping[str, object] | None = None,
    max_runtime: float | None = None,
    on_conflict: OnConflict = "queue",
    conflict_tag: str | None = None,
    location: str | None = None,
) -> RunSpec:
    """Return a run of a job as it is asked for: what is not given is as the job says; `tags` come beside its own.

    `location` is the name of the code location whose limit it counts for: without it, the job's module.

    Raises UsageError for arguments or a run config that the job cannot be run with.
    """
    job.check_args(args or {})
    found = validate_run_config(job, config)
    if found.errors:
        raise found.errors[0]
    return RunSpec(
        job=job.name,
        queue=queue or job.queue,
        location=location or place_name(job.module),
        tags={**job.tags, **(tags or {})},
        pools=dict.fromkeys(job.pools(), 1),
        priority=job.priority if priority is None else priority,
        args=args or {},
        config=config,
        max_attempts=job.max_attempts,
        max_runtime=job.max_runtime if max_runtime is None else max_runtime,
        on_conflict=on_conflict,
        conflict_tag=conflict_tag,
    )


def submit(
    job: Job,
    args: Mapping[str, object] | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    priority: int | None = None,
    queue: str | None = None,
    config: Mapping[str, object] | None = None,
    max_runtime: float | None = None,
    on_conflict: OnConflict = "queue",
    conflict_tag: str | None = None,
    run: str | None = None,
    client: Client | None = None,
) -> Submitted:
    """Queue a run of a job for the workers that have its code.

    `args` are what its ops' parameters take beside each other's results. `tags`, `priority` (-4096 to 4095, higher
    first), `queue`, run `config` and `max_runtime` (seconds) go over what the job says. `on_conflict` says what to do
    while another run of the job (or with the same value of `conflict_tag`) is queued or in progress: queue, skip, or
    replace it. `run` is an id of yours: under it the run is queued once, however often you submit it.

    Without a client it is the namespace of the environment. Raises UsageError, Refused, ServerUnavailable.
    """
    runs = client.runs if client is not None else Runs(default_connections())
    spec = run_spec(
        job,
        args,
        tags=tags,
        priority=priority,
        queue=queue,
        config=config,
        max_runtime=max_runtime,
        on_conflict=on_conflict,
        conflict_tag=conflict_tag,
        location=_location(runs, job),
    )
    return runs.submit(spec, run=run)


def _location(runs: Runs, job: Job) -> str | None:
    """The location whose workers told of a job: it may be another module, or have another name, than the job's."""
    known = _locations.setdefault(runs, {})
    if job.name not in known:
        try:
            known[job.name] = runs.job(job.name).location
        except NotFound:
            return None  # nobody told of it yet
    return known[job.name]


_locations: WeakKeyDictionary[Runs, dict[str, str]] = WeakKeyDictionary()


def _in_a_thread(blocking: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """The same verb with the same arguments, without blocking the event loop."""

    @wraps(blocking)
    async def waits(*args: P.args, **kwargs: P.kwargs) -> R:
        return await to_thread.run_sync(partial(blocking, *args, **kwargs))

    return waits


submit_async = _in_a_thread(submit)
