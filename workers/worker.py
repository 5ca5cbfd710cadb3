"""Worker: a process that takes runs from queues and executes them, as many at once as it has seats.

It holds one session, claims only what it has a free seat for, and is woken by grants: nothing here polls the server.
Told to drain it takes no more and ends with its last run; told to stop, its runs go back to their queues.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1

import anyio
import psutil

from semaphores.connections import Connections
from semaphores.errors import UsageError
from semaphores.names import encode_needs, needs_of, plain
from semaphores.scripts.run_commands import Enroll
from semaphores.session.process import where, word_of
from semaphores.session.threads import PATIENCE
from workers.company import Company
from workers.definitions import Location
from workers.executor.execute import Executors
from workers.job import Job
from workers.line import Line
from workers.seat import Crew, RunOver, Seat

__all__ = ["Worker", "WorkerSettings"]

_log = logging.getLogger("workers")
LOOK_EVERY = 1.0  # seconds: the number of seats, where it is a callable, follows as often
TELL_EVERY = 5.0  # seconds between two tellings of processor and memory
KEEP = 10_000  # finished runs of a status


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker works. `concurrency`: seats, or a function that says how many now."""

    queues: Sequence[str] = ("default",)
    concurrency: int | Callable[[], int] = 4
    keep: int = KEEP
    cancel_timeout: float = 10.0  # seconds from telling an op to end to killing it


class Worker:
    """Runs the jobs of one location."""

    def __init__(self, location: Location, connections: Connections, settings: WorkerSettings) -> None:
        if not settings.queues:
            raise UsageError("a worker works on at least one queue")
        self.location = location
        self.connections = connections
        self.settings = settings
        self.queues = ",".join(plain("queue", queue) for queue in dict.fromkeys(settings.queues))
        names = "\n".join(sorted(location.jobs))
        self.code = sha1(names.encode()).hexdigest()[:16]  # noqa: S324 (a name, no secret)
        self.ready = asyncio.Event()  # it is enrolled and asks for runs
        self.finished = 0
        self.observers: list[Callable[[RunOver], object]] = []  # told of each run that ended here, in the loop
        self._seats: list[Seat] = []
        self._draining = False
        self._wanted = 0
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self._enrolled = ""  # the session that did

    def __repr__(self) -> str:
        busy = sum(seat.run is not None for seat in self._seats)
        return f"<Worker of {self.location.name!r} on {self.queues}, {busy} of {self._wanted} seats busy>"

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that it works on now."""
        return tuple(seat.run for seat in self._seats if seat.run is not None)

    async def work(self) -> None:
        """Take and execute runs until `drain`; cancelled, give its runs back to their queues."""
        self._line = Line(self.connections)
        await self._line.open(PATIENCE)
        async with Executors(company=Company(self._line)) as executors:
            crew = Crew(
                line=self._line,
                location=self.location,
                executors=executors,
                queues=self.queues,
                code=self.code,
                keep=self.settings.keep,
                cancel_timeout=self.settings.cancel_timeout,
                enroll=self._unenrolled,
                on_over=self._over,
            )
            self._wanted = self._seat_count()
            async with anyio.create_task_group() as tasks:
                await self._enroll()
                tasks.start_soon(self._tend, crew, tasks)
                self.ready.set()
            await self._told(crew)

    async def _told(self, crew: Crew) -> None:
        """Wait until the server knows how every run ended, or has given it up."""
        with anyio.move_on_after(self._line.session.deadline.ttl):
            while crew.ending:
                self._ended.clear()
                await self._ended.wait()

    async def until_finished(self, count: int) -> None:
        """Return when that many runs have ended here."""
        while self.finished < count:
            self._ended.clear()
            await self._ended.wait()

    def drain(self) -> None:
        """Take no more runs; `work` returns with the last one."""
        self._draining = True
        self._changed.set()

    def _seat_count(self) -> int:
        """Return the seats that are wanted now: as many as before, when the function that says so fails."""
        told = self.settings.concurrency
        if self._draining:
            return 0
        if not callable(told):
            return max(0, told)
        try:
            return max(0, int(told()))
        except Exception as error:  # noqa: BLE001 - the user's function: no run is to be given up for it
            _log.warning("concurrency cannot be asked, it stays %d: %s: %s", self._wanted, type(error).__name__, error)
            return self._wanted

    async def _tend(self, crew: Crew, tasks: anyio.abc.TaskGroup) -> None:
        """Keep as many seats as are wanted, the worker enrolled, and what is told of it fresh."""
        told_at = self._line.loop.time()
        while True:
            self._changed.clear()
            self._wanted = self._seat_count()
            for number, seat in enumerate(self._seats):
                if number >= self._wanted:
                    seat.stand_up()
            for number in range(self._wanted):
                if number >= len(self._seats):
                    self._seats.append(Seat(crew, word_of(f"{where()}:{os.getpid()}:seat-{number + 1}")))
                if not self._seats[number].taken:
                    self._seats[number].taken = True
                    tasks.start_soon(self._keep_seat, number)
            if self._draining:
                return
            if self._enrolled != self._line.session.id or self._line.loop.time() - told_at >= TELL_EVERY:
                told_at = self._line.loop.time()
                await self._enroll()
            with anyio.move_on_after(LOOK_EVERY):
                await self._changed.wait()

    async def _keep_seat(self, number: int) -> None:
        seat = self._seats[number]
        try:
            await seat.work(lambda: number < self._wanted and self._enrolled == self._line.session.id)
        finally:
            seat.taken = False
            self._changed.set()

    def _unenrolled(self) -> None:
        self._enrolled = ""
        self._changed.set()

    def _over(self, over: RunOver) -> None:
        self.finished += 1
        self._ended.set()
        _log.info("run %s: %s", over.run, over.status, extra={"run": over.run, "job": over.job, "status": over.status})
        for observer in self.observers:
            observer(over)

    async def _enroll(self) -> None:
        """Say who this is, which queues it works on and which jobs it has."""
        session = self._line.session.id
        first = self._enrolled != session
        memory = psutil.virtual_memory().percent
        words = f"concurrency={self._wanted} cpu={psutil.cpu_percent():.0f} memory={memory:.0f}"
        jobs = [told_of(job, self.location.name) for job in self.location.jobs.values()] if first else None
        answer = await self._line.ask(Enroll(self.queues, self.code, words, jobs))
        self._enrolled = session if answer["answer"] == "enrolled" else ""
        self._changed.set()


def told_of(job: Job, location: str) -> dict[str, str]:
    """Return what the server is told of a job: enough to submit it from anywhere, and to show it."""
    told = {
        "name": job.name,
        "location": location,
        "queue": job.queue,
        "priority": str(job.priority),
        "max_attempts": str(job.max_attempts),
        "tags": json.dumps(dict(job.tags), ensure_ascii=False),
        "pools": json.dumps(dict.fromkeys(job.pools(), 1)),
        "about": json.dumps(job.about(), ensure_ascii=False),
    }
    if job.max_runtime is not None:
        told["max_runtime"] = str(round(job.max_runtime))
    encode_needs(needs_of(dict.fromkeys(job.pools(), 1), job.tags))  # refuses what no run could be submitted with
    return told
