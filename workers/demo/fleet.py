"""Fleet: the demo of runs and workers, from its configuration to its last key.

Invariant: whatever ends it, its workers, keys and files are gone soon after.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex

from rich.console import Console

from semaphores.apply import apply_config
from semaphores.client import Client, connect
from semaphores.config.read import parse_config
from semaphores.demo import keys, library, store
from semaphores.demo.view import View, view_for
from semaphores.errors import SemaphoresError
from workers.demo import jobs
from workers.demo.outcome import Outcome, outcome_of
from workers.submit import submit

__all__ = ["CONFIG", "run_fleet"]

CONFIG = """\
concurrency:
  runs:
    max_concurrent_runs: 5
    tag_concurrency_limits:
      - {key: size, value: large, limit: 2}
  pools:
    limits: {sqlite: 1, parse: 3}
"""
WORKERS, SEATS = 3, 3
FILES_A_RUN = 12
LARGE = 400_000  # bytes of source in one run
SECONDS = 45.0  # after which it is told that something is wrong
TTL = 10.0


def run_fleet(*, url: str | None = None, files: int | None = None) -> int:
    """Index the standard library with a fleet; returns the exit code: 0 all is right, 1 a limit or the index is wrong.

    `url` as for `connect`; `files`: no more than so many. Raises ServerUnavailable, SemaphoresError.
    """
    console = Console()
    sources = library.source_files()[:files]
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="semaphores-fleet-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        client = stack.enter_context(connect(url, namespace=f"demo-{token_hex(4)}", ttl=TTL, init=True))
        client.status()  # a server that cannot be reached is told of here
        stack.callback(keys.remove_keys, client)
        store.create(folder / "index.db")
        view = stack.enter_context(view_for(client, console, silent=False))
        for change in apply_config(client, parse_config(CONFIG, file="semaphores.yaml")):
            view.say(str(change))
        workers = stack.enter_context(_workers(client, url, folder))
        outcome = _play(client, view, sources, workers, folder / "index.db")
    for line in outcome.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0 if outcome.ok else 1


@contextmanager
def _workers(client: Client, url: str | None, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes as a user starts them, until the block ends."""
    environment = {
        **os.environ,
        "SEMAPHORES_NAMESPACE": client.connections.namespace,
        jobs.DATABASE: str(folder / "index.db"),
        **({"SEMAPHORES_URL": url} if url else {}),
    }
    command = [sys.executable, "-m", "semaphores", "worker", "workers.demo.jobs", "--concurrency", str(SEATS)]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(WORKERS)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _play(
    client: Client, view: View, sources: Sequence[Path], workers: list[subprocess.Popen[bytes]], database: Path
) -> Outcome:
    slices = [sources[first : first + FILES_A_RUN] for first in range(0, len(sources), FILES_A_RUN)]
    for files in slices:
        size = "large" if sum(path.stat().st_size for path in files) > LARGE else "small"
        submit(jobs.index, {"files": [str(path) for path in files]}, tags={"size": size}, client=client)
    view.begin(f"{len(slices)} runs of job 'index', {WORKERS} workers with {SEATS} seats each", len(sources))
    killed, over, give_up = None, 0, time.monotonic() + SECONDS
    while over < len(slices):
        if time.monotonic() > give_up:
            raise SemaphoresError(f"{over} of {len(slices)} runs were over after {SECONDS:g} s; is this machine busy?")
        counts = client.runs.counts()
        over = counts["SUCCESS"] + counts["FAILURE"] + counts["CANCELED"]
        view.show(min(len(sources), over * FILES_A_RUN))
        if killed is None and over >= len(slices) // 3:
            killed = _kill(client, view, workers)
        time.sleep(0.05)
    view.say("all runs are over; one process alone checks every file")
    return outcome_of(client, database, sources, killed)


def _kill(
    client: Client, view: View, workers: list[subprocess.Popen[bytes]]
) -> tuple[int, float, tuple[str, ...]] | None:
    """SIGKILL a worker in the middle of its runs; returns its pid, when, and the runs that it had."""
    for worker in client.runs.workers():
        process = next((one for one in workers if one.pid in worker.session.pids), None)
        if process is not None and worker.runs:
            process.kill()
            process.wait()
            view.say(f"SIGKILL to worker {process.pid}, which had {len(worker.runs)} runs")
            return process.pid, time.time(), worker.runs
    return None
