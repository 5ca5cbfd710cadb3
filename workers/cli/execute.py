"""`semaphores run execute`: one run of a job here and now, in this process, with all limits observed.

It is submitted to a queue that only this process works on, with one seat: to the server it is a run like any other.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import typer

from semaphores.cli.progress import ASK_EVERY, Progress, outcome
from semaphores.cli.render import line
from semaphores.cli.submit import args_of, config_of
from semaphores.cli.target import open_client
from semaphores.cli.tree import Verb, single
from semaphores.cli.words import printable, tags_of
from semaphores.client import Client
from semaphores.connecting import default_to
from semaphores.errors import NotFound, Refused, ServerError, UsageError
from semaphores.runs import RunSpec, RunView
from semaphores.runs.spec import new_run_id
from workers.cli.loading import load_location
from workers.cli.serving import SIGNALS, abandon, only_error
from workers.definitions import Location
from workers.job import validate_run_config
from workers.submit import run_spec
from workers.worker import Worker, WorkerSettings

app = single()


@app.command("execute", cls=Verb)
def execute(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="One of the module's jobs.")],
    module: Annotated[
        str | None, typer.Argument(metavar="[MODULE]", help="Its code [default: where a worker said it is].")
    ] = None,
    args: Annotated[
        str | None, typer.Option(metavar="JSON", help="Arguments by name, as a JSON object; @FILE reads a file.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Beside those of the job; may be repeated.")
    ] = None,
    run_config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="Run config, YAML or JSON.")
    ] = None,
) -> int:
    """Run a job here and now, in this process, with all limits observed; what it is at is told on stderr.

    SIGTERM or Ctrl-C cancels it; a second time it is not waited for. Exit code 0 on SUCCESS, else 1. A worker need not
    be there, only the server.
    """
    given, tags, config = args_of(args), tags_of(tag or []), config_of(run_config)
    with open_client(ctx) as client:
        location = load_location(module or _module_of(client, job))
        found = location.job(job)
        if run_config is not None:
            for error in validate_run_config(found, Path(run_config)).errors:
                raise error
        queue = f"execute-{token_hex(6)}"
        spec = run_spec(found, given, tags=tags, queue=queue, config=config, location=location.name)
        alone = Location(location.name, {job: found})
        default_to(client.connections)  # what the code of its ops asks for is asked of the same namespace
        worker = Worker(alone, client.connections, WorkerSettings(queues=(queue,), concurrency=1))
        try:
            ended = asyncio.run(_execute(client, worker, replace(spec, max_attempts=1)))  # nobody else could try again
        except BaseExceptionGroup as errors:
            raise only_error(errors) from errors
    if ended.status != "SUCCESS":
        raise Refused(outcome(ended))
    line(outcome(ended))
    return 0


async def _execute(client: Client, worker: Worker, spec: RunSpec) -> RunView:
    """Submit the run and work on it; returns how it ended."""
    run, loop = new_run_id(), asyncio.get_running_loop()
    work = asyncio.create_task(worker.work())
    ready = asyncio.create_task(worker.ready.wait())
    await asyncio.wait({work, ready}, return_when=asyncio.FIRST_COMPLETED)
    if work.done():
        ready.cancel()
        work.result()
    await client.aio.runs.submit(spec, run=run)
    ending: list[asyncio.Task[object]] = []

    def told(number: int) -> None:
        first = not ending
        ends = client.aio.runs.cancel(run) if first else abandon(worker, work, 128 + number)
        ending.append(loop.create_task(ends))

    for number in SIGNALS:
        loop.add_signal_handler(number, told, number)
    ended = await _until_over(client, worker, work, run)
    worker.drain()
    await work
    await asyncio.gather(*ending, return_exceptions=True)
    return ended


async def _until_over(client: Client, worker: Worker, work: asyncio.Task[None], run: str) -> RunView:
    progress = Progress()
    finished = asyncio.create_task(worker.until_finished(1))
    try:
        while True:
            await asyncio.wait({finished, work}, timeout=ASK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            try:
                found = await client.aio.runs.get(run)
            except ServerError as error:
                print(f"error: {printable(str(error))}", file=sys.stderr, flush=True)
                continue
            progress.tell(found)
            if found.run.finished:
                return found.run
            if work.done():
                if not work.cancelled():
                    work.result()
                raise Refused(f"run {run} of {found.run.job} was left unfinished: {found.run.status}")
    finally:
        finished.cancel()


def _module_of(client: Client, job: str) -> str:
    """Return where a worker said that the code of a job is. Raises UsageError."""
    try:
        told = client.runs.job(job).about.get("module")
    except NotFound as unknown:
        meant = f"; did you mean {unknown.nearest!r}?" if unknown.nearest else ""
        raise UsageError(f"no worker ever told of job {job!r}{meant}; name the module behind it") from None
    if not isinstance(told, str) or not told:
        raise UsageError(f"no worker told where the code of job {job!r} is; name the module behind it")
    return told
