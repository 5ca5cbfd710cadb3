"""Runs: submitting, canceling, retrying and re-prioritising runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from semaphores.errors import InvalidNumber, UsageError
from semaphores.runs import JobView, RunSpec
from semaphores.runs.spec import HIGHEST, LOWEST
from semaphores.ui.actions.done import Done
from semaphores.ui.desk import Desk
from semaphores.ui.query import address, local
from semaphores.ui.rendering import Shown
from semaphores.ui.views.submit import form

__all__ = ["cancel", "priority", "retry", "submit"]

T = TypeVar("T")


def submit(desk: Desk, told: Mapping[str, str]) -> Done | Shown:
    """Queue a run of a job, or return the form with what is wrong. Raises NotFound, Refused."""
    job = desk.client.runs.job(told.get("job", ""))
    problems: dict[str, str] = {}

    def read(name: str, reader: Callable[[str], T]) -> T | None:
        text = told.get(name, "")
        try:
            return reader(text) if text.strip() else None
        except UsageError as error:
            problems[name] = str(error)
            return None

    args, tags, config = read("args", _args) or {}, read("tags", _tags) or {}, read("config", _config)
    before = read("priority", _priority)
    if not problems:
        try:
            first = job.priority if before is None else before
            done = desk.client.runs.submit(_spec(job, args, tags, config, first, told.get("queue", "").strip()))
        except UsageError as error:
            problems[""] = str(error)
        else:
            return Done(f"run {done.run} of job {job.name} is queued", address("/run", id=done.run))
    return form(job, told, problems)


def cancel(desk: Desk, told: Mapping[str, str]) -> Done:
    """Cancel a run. Raises NotFound, Refused."""
    run = told.get("run", "")
    status = desk.client.runs.cancel(run)
    text = "is canceled" if status == "canceled" else "is being canceled: its worker ends it"
    return Done(f"run {run} {text}", local(told.get("back", ""), address("/run", id=run)))


def retry(desk: Desk, told: Mapping[str, str]) -> Done:
    """Queue a finished run again. Raises NotFound, Refused."""
    run = told.get("run", "")
    desk.client.runs.retry(run)
    return Done(f"run {run} is queued again", address("/run", id=run))


def priority(desk: Desk, told: Mapping[str, str]) -> Done:
    """Give a queued run another priority. Raises UsageError, NotFound, Refused."""
    run, wanted = told.get("run", ""), _priority(told.get("priority", ""))
    before = desk.client.runs.set_priority(run, wanted)
    return Done(f"priority of run {run}: {wanted} (was {before})", address("/run", id=run))


def _spec(
    job: JobView,
    args: dict[str, object],
    tags: dict[str, str],
    config: dict[str, object] | None,
    priority_: int,
    queue: str,
) -> RunSpec:
    return RunSpec(
        job=job.name,
        queue=queue or job.queue,
        location=job.location,
        tags={**job.tags, **tags},
        pools=job.pools,
        priority=priority_,
        args=args,
        config=config,
        max_attempts=job.max_attempts,
        max_runtime=job.max_runtime,
    )


def _args(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"This is not JSON: {error.msg}, line {error.lineno} column {error.colno}.") from None
    except RecursionError:
        raise UsageError("This is nested too deep.") from None
    if not isinstance(found, dict):
        raise UsageError('It must be a JSON object of arguments by name, as {"day": 1}.')
    return found


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if line.strip() and not equals:
            raise UsageError(f"{line.strip()!r} has no value: write KEY=VALUE, one a line.")
        if key:
            tags[key.strip()] = value.strip()
    return tags


def _config(text: str) -> dict[str, object]:
    from semaphores.config.problem import Unreadable
    from semaphores.config.tree import Tree, compose

    tree = Tree()
    try:
        root = compose(text)
        found: object = {} if root is None else tree.value(root, ())
        problems = tree.problems
    except Unreadable as unreadable:
        problems = [unreadable.problem]
    if problems:
        where = tree.line(problems[0].path) if problems[0].line is None else problems[0].line
        hint = f"; {problems[0].hint}" if problems[0].hint else ""
        raise UsageError(f"Line {where or 1}: {problems[0].text}{hint}")
    if not isinstance(found, dict):
        raise UsageError("It must be a mapping, beginning with 'execution:'.")
    return found


def _priority(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,5}", text.strip(), re.ASCII) or not LOWEST <= int(text) <= HIGHEST:
        raise InvalidNumber("priority", text, f"a whole number from {LOWEST} to {HIGHEST}, higher first")
    return int(text)
