"""`semaphores worker`: takes runs from queues and executes them, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated

import typer

from semaphores.cli.logs import LogJson, log_to_stderr
from semaphores.cli.render import line
from semaphores.cli.target import open_client
from semaphores.cli.tree import Verb, single
from semaphores.client import Client
from semaphores.connecting import default_to
from semaphores.errors import InvalidNumber, Refused, UsageError
from workers.adapt import limit_by_load
from workers.cli.loading import load_location
from workers.cli.serving import only_error, serve
from workers.definitions import Location
from workers.executor.logs import OpFields
from workers.worker import KEEP, Worker, WorkerSettings

app = single()

_log = logging.getLogger("workers")

LOAD = "load:"
MOST_SEATS = 10_000
MOST_KEPT = 10_000_000  # finished runs of a status


@app.command("worker", cls=Verb)
def worker(
    ctx: typer.Context,
    module: Annotated[str, typer.Argument(metavar="MODULE", help="package.module or path/to/file.py, [:ATTRIBUTE].")],
    queue: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Work on this queue; repeated: in this order [default: default]."),
    ] = None,
    concurrency: Annotated[
        str, typer.Option(metavar="N", help="Runs at once; load:LOW,NORMAL,HIGH: by how busy this machine is.")
    ] = str(WorkerSettings().concurrency),
    keep: Annotated[int, typer.Option(metavar="N", help="Finished runs of each status that are kept.")] = KEEP,
    drain_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long a drain may take [default: as long as it takes].")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Serve /metrics there; 0 takes a free one.")
    ] = None,
    metrics_host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where it is served.")] = "127.0.0.1",
    log_json: LogJson = False,
) -> int:
    """Take runs of a module's jobs from queues and execute them.

    The first SIGTERM or Ctrl-C drains: no more runs are taken, those in progress go on to their end. The second one
    ends their ops, and they go back to their queues. Exit code: 0 when drained, 128 + the signal otherwise.
    """
    if not 0 <= keep <= MOST_KEPT:
        raise InvalidNumber("--keep", keep, f"a whole number from 0 to {MOST_KEPT}")
    if drain_timeout is not None and not 0 <= drain_timeout < float("inf"):
        raise InvalidNumber("--drain-timeout", drain_timeout, "0 seconds or more")
    seats = seats_of(concurrency)
    if metrics_port is not None and find_spec("prometheus_client") is None:
        raise UsageError("--metrics-port needs prometheus-client: pip install 'redis-semaphores[metrics]'")
    log_to_stderr(as_json=log_json, filters=[OpFields()])
    location = load_location(module)
    with open_client(ctx) as client:
        default_to(client.connections)  # what the code of its ops asks for is asked of the same namespace
        settings = WorkerSettings(queues=tuple(queue or ["default"]), concurrency=seats, keep=keep)
        working = Worker(location, client.connections, settings)
        if metrics_port is not None:
            _serve_metrics(client, working, metrics_host, metrics_port)
        try:
            return asyncio.run(_serve(working, concurrency, drain_timeout))
        except BaseExceptionGroup as errors:
            raise only_error(errors) from errors


async def _serve(worker: Worker, concurrency: str, drain_timeout: float | None) -> int:
    def ready() -> None:
        line(f"ready: {_told(worker.location)} on {_queues(worker.settings)}; {_seats(concurrency)}")
        sys.stdout.flush()

    return await serve(worker, drain_timeout=drain_timeout, ready=ready)


def _serve_metrics(client: Client, worker: Worker, host: str, port: int) -> None:
    from semaphores.metrics import Exporter

    exporter = Exporter(client)
    worker.observers.append(lambda over: exporter.counters.run_over(over.job, over.status, over.seconds))
    try:
        address, number = exporter.serve(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refused(
            f"metrics cannot be served on {host}:{port}: {reason}; --metrics-port takes another one"
        ) from None
    _log.info("metrics on http://%s:%d/metrics", f"[{address}]" if ":" in address else address, number)


def seats_of(text: str) -> int | Callable[[], int]:
    """Return how many runs at once, as a person writes it. Raises UsageError."""
    if text.startswith(LOAD):
        try:
            low, normal, high = map(int, text.removeprefix(LOAD).split(","))
        except ValueError:
            raise UsageError(f"--concurrency cannot be {text!r}: write load:LOW,NORMAL,HIGH, as load:1,3,5") from None
        return limit_by_load(low, normal, high)
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MOST_SEATS:
        raise InvalidNumber("--concurrency", text, f"a whole number from 1 to {MOST_SEATS}, or load:LOW,NORMAL,HIGH")
    return int(text)


def _told(location: Location) -> str:
    jobs = "1 job" if len(location.jobs) == 1 else f"{len(location.jobs)} jobs"
    return f"{jobs} of {location.name} ({', '.join(location.jobs)})"


def _queues(settings: WorkerSettings) -> str:
    queues = list(dict.fromkeys(settings.queues))
    return f"queue{'s' if len(queues) > 1 else ''} {', '.join(queues)}"


def _seats(concurrency: str) -> str:
    return f"seats by {concurrency}" if concurrency.startswith(LOAD) else f"{concurrency} seats"
