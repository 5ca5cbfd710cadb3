"""Client: the verbs of runs on one namespace: `client.runs`; `client.aio.runs` has the same names as coroutines."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import TypeVar

from anyio import to_thread

from semaphores.connections import Connections
from semaphores.runs import verbs
from semaphores.runs.lines import LineView, lines
from semaphores.runs.pages import RunPage
from semaphores.runs.pages import page as _page
from semaphores.runs.spec import RunSpec
from semaphores.runs.views import STATUSES, JobView, LogEntry, RunDetails, RunView, WorkerView
from semaphores.scripts.asking import Asking, drive
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Command

__all__ = ["AsyncRuns", "Runs"]

T = TypeVar("T")


class Runs:
    """Runs of one namespace."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def submit(self, spec: RunSpec, *, run: str | None = None) -> verbs.Submitted:
        """Queue a run; under an id of yours it is queued once, however often you submit it. Raises UsageError."""
        return self._do(verbs.submit(spec, run))

    def list(
        self,
        status: str | None = None,
        *,
        job: str | None = None,
        tag: tuple[str, str] | None = None,
        most: int = 50,
    ) -> tuple[RunView, ...]:
        """Return runs, the newest first: of one status or of all, of a job, with a tag's value; `most` of a status."""
        return self._ask(verbs.runs(status, job=job, tag=tag, most=most))

    def page(
        self,
        statuses: Sequence[str] = STATUSES,
        *,
        job: str | None = None,
        tag: tuple[str, str] | None = None,
        after: str | None = None,
        count: int = 50,
    ) -> RunPage:
        """Return a page of runs, the newest first, and the cursor of the next: `after`. Raises UsageError."""
        return self._ask(_page(statuses, job=job, tag=tag, after=after, count=count))

    def counts(self) -> dict[str, int]:
        """Return how many runs each status has."""
        return self._ask(verbs.counts())

    def get(self, run: str) -> RunDetails:
        """Return one run with its ops and what it waits for. Raises NotFound."""
        return self._ask(verbs.details(run))

    def log(self, run: str, after: str | None = None, most: int = 1000) -> tuple[LogEntry, ...]:
        """Return the lines of a run's log, those after an entry's id. Raises NotFound."""
        return self._ask(verbs.log(run, after, most))

    def cancel(self, run: str) -> str:
        """Cancel a run: `canceled`, or `canceling` while its worker ends it. Raises NotFound, Refused."""
        return self._do(verbs.cancel(run))

    def retry(self, run: str) -> str:
        """Queue a finished run again. Raises NotFound, Refused."""
        return self._do(verbs.retry(run))

    def set_priority(self, run: str, priority: int) -> int:
        """Give a queued run another priority; returns the one it had. Raises NotFound, Refused."""
        return int(self._do(verbs.set_priority(run, priority)))

    def jobs(self) -> tuple[JobView, ...]:
        """Return the jobs that workers told of."""
        return self._ask(verbs.jobs())

    def job(self, name: str) -> JobView:
        """Return one job. Raises NotFound with the nearest known name."""
        return self._ask(verbs.job(name))

    def workers(self) -> tuple[WorkerView, ...]:
        """Return the processes that take runs."""
        return self._ask(verbs.workers())

    def lines(self) -> tuple[LineView, ...]:
        """Return what waits for a free seat only, by queue and job, and how many workers could take it."""
        return self._ask(lines())

    def _ask(self, asking: Asking[T]) -> T:
        return drive(asking, self._connections.ask)

    def _do(self, doing: Generator[Command, Answer, T]) -> T:
        try:
            command = next(doing)
            while True:
                command = doing.send(self._connections.command(command))
        except StopIteration as done:
            result: T = done.value
            return result


class AsyncRuns:
    """The verbs of `Runs` as coroutines."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def submit(self, spec: RunSpec, *, run: str | None = None) -> verbs.Submitted:
        """Queue a run. Raises UsageError."""
        return await to_thread.run_sync(partial(self._runs.submit, spec, run=run))

    async def list(
        self,
        status: str | None = None,
        *,
        job: str | None = None,
        tag: tuple[str, str] | None = None,
        most: int = 50,
    ) -> Sequence[RunView]:
        """Return runs, the newest first."""
        return await to_thread.run_sync(partial(self._runs.list, status, job=job, tag=tag, most=most))

    async def get(self, run: str) -> RunDetails:
        """Return one run with its ops and what it waits for. Raises NotFound."""
        return await to_thread.run_sync(self._runs.get, run)

    async def log(self, run: str, after: str | None = None, most: int = 1000) -> tuple[LogEntry, ...]:
        """Return the lines of a run's log. Raises NotFound."""
        return await to_thread.run_sync(self._runs.log, run, after, most)

    async def cancel(self, run: str) -> str:
        """Cancel a run. Raises NotFound, Refused."""
        return await to_thread.run_sync(self._runs.cancel, run)

    async def retry(self, run: str) -> str:
        """Queue a finished run again. Raises NotFound, Refused."""
        return await to_thread.run_sync(self._runs.retry, run)

    async def set_priority(self, run: str, priority: int) -> int:
        """Give a queued run another priority. Raises NotFound, Refused."""
        return await to_thread.run_sync(self._runs.set_priority, run, priority)

    async def jobs(self) -> tuple[JobView, ...]:
        """Return the jobs that workers told of."""
        return await to_thread.run_sync(self._runs.jobs)

    async def workers(self) -> tuple[WorkerView, ...]:
        """Return the processes that take runs."""
        return await to_thread.run_sync(self._runs.workers)
