"""`semaphores run`: runs of jobs: list, show, cancel, retry, set-priority, logs; `submit` has a file of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from semaphores.cli.columns import age, moment_text
from semaphores.cli.progress import ASK_EVERY
from semaphores.cli.queued import blocked
from semaphores.cli.render import json_text, line, plain, show
from semaphores.cli.run_columns import tags_text
from semaphores.cli.submit import submit
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun
from semaphores.cli.words import nearest, printable, shown_slots, tags_of
from semaphores.client import Client
from semaphores.errors import InvalidName, InvalidNumber, NotFound, SemaphoresError, UsageError
from semaphores.names import plain as plain_name
from semaphores.runs import LogEntry, RunDetails, RunView
from semaphores.runs.spec import HIGHEST, LOWEST
from semaphores.runs.views import FINISHED, STATUSES
from semaphores.scripts.stored import parse_needs

app = noun("Runs of jobs: submit, list, show, cancel, retry and re-prioritise them; follow their logs.")
app.command("submit", cls=Verb)(submit)

MOST_LINES = 1000  # of a log, in one question

Id = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as 'run list' shows it.")]


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help=f"Only those: {', '.join(STATUSES)}.")] = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Only those of this job.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="KEY=VALUE", help="Only those with this tag.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List runs, the newest first."""
    tags = list(tags_of([tag] if tag is not None else []).items())
    wanted = _status(status) if status is not None else None
    with open_client(ctx) as client:
        found = client.runs.list(wanted, job=job, tag=tags[0] if tags else None, most=limit)
        newest = sorted(found, key=lambda run: (run.submitted is not None, run.submitted), reverse=True)
        chosen = wanted is not None or job is not None or tag is not None
        empty = "no such runs" if chosen else "no runs yet: 'semaphores run submit JOB' queues one"
        show(newest[:limit], as_json=json, empty=empty)


@app.command("show", cls=Verb)
def show_(ctx: typer.Context, run: Id, json: Json = False) -> None:
    """Show all of a run: its facts, its ops, and while it is queued what it waits for."""
    with open_client(ctx) as client:
        found = client.runs.get(_known(run))
        if json:
            print(json_text(_told(found)))
            return
        grace = client.namespace().grace if found.run.status == "QUEUED" else None
        for name, text in _facts(found, grace).items():
            if text:
                line(f"{name:<10} {text}")
        if found.ops:
            line()
            show(found.ops, as_json=False, empty="")


@app.command("cancel", cls=Verb)
def cancel(ctx: typer.Context, run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Their ids.")]) -> int:
    """Cancel runs: a queued one is over at once, the ops of one in progress are ended first.

    Exit code 1 when one of them is unknown or over already; the others are canceled.
    """
    failed = False
    with open_client(ctx) as client:
        for each in run:
            try:
                done = client.runs.cancel(_known(each))
            except SemaphoresError as error:
                if len(run) == 1:
                    raise
                failed = True
                print(f"error: {printable(str(error))}", file=sys.stderr)
            else:
                line(f"run {each} is canceled" if done == "canceled" else f"run {each} is told to end: {done}")
    return 1 if failed else 0


@app.command("retry", cls=Verb)
def retry(ctx: typer.Context, run: Id) -> None:
    """Queue a finished run again under its id, with all its attempts, behind what waits."""
    with open_client(ctx) as client:
        client.runs.retry(_known(run))
        line(f"run {run} is queued again")


@app.command("set-priority", cls=Verb, context_settings={"ignore_unknown_options": True})
def set_priority(
    ctx: typer.Context,
    run: Id,
    priority: Annotated[int, typer.Argument(metavar="N", help=f"{LOWEST} to {HIGHEST}; higher goes first.")],
) -> None:
    """Give a queued run another priority: its place in line changes at once."""
    if not LOWEST <= priority <= HIGHEST:
        raise InvalidNumber("priority", priority, f"a whole number from {LOWEST} to {HIGHEST}")
    with open_client(ctx) as client:
        before = client.runs.set_priority(_known(run), priority)
        line(f"run {run}: priority {priority} (was {before})")


@app.command("logs", cls=Verb)
def logs(
    ctx: typer.Context,
    run: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
    json: Json = False,
) -> None:
    """Print a run's log: time, op, kind, text. In JSON an array, with --follow an object a line."""
    with open_client(ctx) as client:
        entries = _followed(client, _known(run)) if follow else _so_far(client, _known(run))
        if json and not follow:
            print(json_text(list(entries)))
            return
        for entry in entries:
            print(json_text(entry, one_line=True) if json else _log_line(entry), flush=follow)


def _status(text: str) -> str:
    wanted = text.upper()
    if wanted not in STATUSES:
        meant = nearest(wanted, STATUSES)
        raise UsageError(
            f"{text!r} is no status of a run: {', '.join(STATUSES)}{f'; did you mean {meant}?' if meant else ''}"
        )
    return wanted


def _known(run: str) -> str:
    """Return an id that a run may have. Raises NotFound for what none can be called."""
    try:
        return plain_name("run", run)
    except InvalidName:
        raise NotFound("run", run) from None


def _told(found: RunDetails) -> dict[str, object]:
    told = plain(found)
    assert isinstance(told, dict)
    return {**told, "results": None if found.results is None else plain(_results(found.results))}


def _results(packed: bytes) -> object:
    import msgpack

    return msgpack.unpackb(packed, timestamp=3, strict_map_key=False)


def _facts(found: RunDetails, grace: float | None) -> dict[str, str]:
    run = found.run
    pools = {limit: slots for limit, slots in parse_needs(run.pools).items() if run.pools}
    results = "" if found.results is None else json_text(_results(found.results), one_line=True)
    return {
        "run": run.id,
        "job": f"{run.job}, location {run.location}",
        "status": run.status + (f": {run.reason}" if run.reason else ""),
        "blocked": blocked(found, grace),
        "queue": f"{run.queue}, priority {run.priority}",
        "attempt": f"{run.attempt} of {run.max_attempts}" if run.attempt else f"none yet, at most {run.max_attempts}",
        "submitted": moment_text(run.submitted) + (f" by {run.by}" if run.by else ""),
        "granted": moment_text(run.granted),
        "started": moment_text(run.started),
        "ended": moment_text(run.ended) + _took(run),
        "worker": (run.worker or "") + (f", lease {run.lease}, token {run.token}" if run.lease else ""),
        "tags": tags_text(run.tags),
        "limits": shown_slots(parse_needs(run.needs)),
        "pools": shown_slots(pools),
        "results": results if len(results) <= 1000 else f"{results[:1000]}… (all of it with --json)",
    }


def _took(run: RunView) -> str:
    if run.ended is None or run.started is None:
        return ""
    return f", after {age(max(0.0, (run.ended - run.started).total_seconds()))}"


def _so_far(client: Client, run: str, after: str | None = None) -> Iterator[LogEntry]:
    """Give all lines that are there behind one of them."""
    while True:
        page = client.runs.log(run, after, MOST_LINES)
        yield from page
        if len(page) < MOST_LINES:
            return
        after = page[-1].id


def _followed(client: Client, run: str) -> Iterator[LogEntry]:
    """Give lines as they come, until the run is over and all of them are told."""
    after: str | None = None
    while True:
        over = client.runs.get(run).run.status in FINISHED  # asked first: what ends it carries its last lines
        for entry in _so_far(client, run, after):
            after = entry.id
            yield entry
        if over:
            return
        time.sleep(ASK_EVERY)


def _log_line(entry: LogEntry) -> str:
    at = entry.at.astimezone().isoformat(sep=" ", timespec="milliseconds")
    return printable(f"{at}  {entry.op or '-':<12}  {entry.kind:<8}  {entry.text}".rstrip())
