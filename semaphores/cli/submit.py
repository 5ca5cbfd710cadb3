"""`semaphores run submit`: queues a run of a job that a worker told of, and waits for its end if asked to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from semaphores.cli.progress import Progress, outcome, wait_for_end
from semaphores.cli.render import line
from semaphores.cli.target import open_client
from semaphores.cli.words import tags_of
from semaphores.client import Client
from semaphores.errors import ConfigError, NotFound, Refused, UsageError
from semaphores.runs import JobView, RunSpec, Submitted
from semaphores.runs.spec import OnConflict

__all__ = ["args_of", "config_of", "finished", "submit"]

_ON_CONFLICT = ("queue", "skip", "replace")
_OF_THE_DEPLOYMENT = ("concurrency", "run_queue", "redis", "run_monitoring")  # sections that no run config has


def submit(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="As 'job list' shows it.")],
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Beside those of the job; may be repeated.")
    ] = None,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Higher goes first [default: the job's].")] = None,
    queue: Annotated[str | None, typer.Option(metavar="NAME", help="Its queue [default: the job's].")] = None,
    run_config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Run config, YAML or JSON.")
    ] = None,
    args: Annotated[
        str | None, typer.Option(metavar="JSON", help="Arguments by name, as a JSON object; @FILE reads a file.")
    ] = None,
    on_conflict: Annotated[
        str, typer.Option(metavar="WHAT", help="When another run is there: queue, skip or replace.")
    ] = "queue",
    conflict_tag: Annotated[
        str | None, typer.Option(metavar="KEY", help="Others are those with its value of this tag [default: its job].")
    ] = None,
    max_runtime: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="It is ended after so long [default: the job's].")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id: queued once, however often it is submitted.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end; exit code 0 when it is a success.")] = False,
) -> int:
    """Queue a run of a job and print its id.

    With --wait what it is at is told on stderr until it is over; the exit code is 0 on SUCCESS, else 1. A run that was
    skipped waits for the one that was there. A configuration (--config of other commands) goes before 'run'.
    """
    if on_conflict not in _ON_CONFLICT:
        raise UsageError(f"--on-conflict cannot be {on_conflict!r}: it must be queue, skip or replace")
    if conflict_tag is not None and on_conflict == "queue":
        raise UsageError("--conflict-tag goes with --on-conflict skip or replace")
    tags, given, config = tags_of(tag or []), args_of(args), config_of(run_config)
    with open_client(ctx) as client:
        known = _job(client, job)
        known.check_args(given)
        spec = RunSpec(
            job=known.name,
            queue=known.queue if queue is None else queue,
            location=known.location,
            tags={**known.tags, **tags},
            pools=known.pools,
            priority=known.priority if priority is None else priority,
            args=given,
            config=config,
            max_attempts=known.max_attempts,
            max_runtime=known.max_runtime if max_runtime is None else max_runtime,
            on_conflict=cast(OnConflict, on_conflict),
            conflict_tag=conflict_tag,
        )
        done = client.runs.submit(spec, run=id_)
        _tell(done, wait=wait)
        return finished(client, done.run) if wait else 0


def finished(client: Client, run: str) -> int:
    """Wait for a run's end, telling what it is at; returns the exit code. Raises Refused unless it is a success."""
    try:
        ended = wait_for_end(client, run, Progress().tell)
    except KeyboardInterrupt:
        print(f"run {run} goes on without us; 'semaphores run cancel {run}' ends it", file=sys.stderr, flush=True)
        raise
    if ended.status != "SUCCESS":
        raise Refused(outcome(ended))
    print(outcome(ended), file=sys.stderr, flush=True)
    return 0


def args_of(text: str | None) -> dict[str, object]:
    """Return a run's arguments from JSON, or from the file behind an @. Raises UsageError, ConfigError."""
    if text is None:
        return {}
    file = text[1:] if text.startswith("@") else ""
    try:
        found: object = json.loads(_read(file, "--args") if file else text)
    except json.JSONDecodeError as error:
        if file:
            raise ConfigError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
        raise UsageError(f"--args is not valid JSON: {error.msg}, line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise UsageError("--args is nested too deep") from None
    if not isinstance(found, dict):
        raise UsageError(f'--args must be a JSON object of arguments by name, as {{"day": 1}}; not {text[:60]!r}')
    return found


def config_of(file: str | None) -> dict[str, object] | None:
    """Return a run config from a file. Raises ConfigError with its line when it is no YAML, or no mapping."""
    if file is None:
        return None
    from semaphores.config.problem import Unreadable, path_text
    from semaphores.config.tree import Tree, compose

    tree, problems = Tree(), []
    try:
        root = compose(_read(file, "--config"))
        found: object = {} if root is None else tree.value(root, ())
        problems = tree.problems
    except Unreadable as unreadable:
        problems = [unreadable.problem]
    for one in problems[:1]:
        where = tree.line(one.path) if one.line is None else one.line
        raise ConfigError(one.text, file=file, line=where, path=path_text(one.path), hint=one.hint)
    if not isinstance(found, dict):
        raise ConfigError("a run config is a mapping", file=file, line=1, hint="begin with 'execution:'")
    for section in _OF_THE_DEPLOYMENT:
        if section in found:
            hint = "write --config before 'run', and the run config behind 'submit'"
            line_of = tree.line((section,))
            raise ConfigError("this belongs to the configuration of limits", file=file, line=line_of, path=section,
                              hint=hint)  # fmt: skip
    return found


def _read(file: str, option: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{option}: {file!r} cannot be read: {reason}") from None


def _job(client: Client, name: str) -> JobView:
    try:
        return client.runs.job(name)
    except NotFound as unknown:
        meant = f"; did you mean {unknown.nearest!r}?" if unknown.nearest else ""
        raise Refused(f"no worker ever told of job {name!r}{meant}; start 'semaphores worker MODULE' first") from None


def _tell(done: Submitted, *, wait: bool) -> None:
    """Print the id alone on stdout, for scripts; what else there is to say goes to stderr."""
    line(done.run)
    sys.stdout.flush()
    if not done.queued:
        waits = "; waiting for its end" if wait else ""
        print(f"skipped: run {done.run} is there already{waits}", file=sys.stderr, flush=True)
    if done.replaces:
        print(f"it replaces {', '.join(done.replaces)}, and starts when that has ended", file=sys.stderr, flush=True)
