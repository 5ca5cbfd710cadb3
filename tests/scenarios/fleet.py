"""Fleet: real workers in the test's event loop, whose ops begin when their run may, and end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from semaphores import Client, connect
from semaphores.runs import RunView
from semaphores.runs.views import IN_PROGRESS
from semaphores.status import LeaseView
from tests.scenarios.scenario import JobPlan, WorkerPlan
from workers import context, in_process, job, op
from workers.definitions import Location
from workers.job import Job
from workers.worker import Worker, WorkerSettings

__all__ = ["Fleet", "Stage", "Unsettled"]

PATIENCE = 10.0  # seconds until something that must happen at once is missed
TURNS = 30  # of the loop: from the end of one op to the beginning of the next of its run no server is asked


class Unsettled(AssertionError):
    """What workers believe and what the server has differ for good."""


class Told(Exception):
    """How a test has an op fail."""


@dataclass
class Stage:
    """The ops that are at work, each with what ends it."""

    ops: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def play(self) -> None:
        """Be an op until the test lets it go."""
        about = context()
        name = f"{about.run}.{about.op}"
        end = self.ops[name] = asyncio.get_running_loop().create_future()
        try:
            await end
        finally:
            del self.ops[name]

    async def play_on(self) -> None:
        """Be an op that does not end when it is canceled."""
        with anyio.CancelScope(shield=True):
            await self.play()

    def end(self, name: str, *, well: bool) -> None:
        """Let an op go, or the only one of a run."""
        found = [each for each in self.ops if each == name or each.partition(".")[0] == name]
        if len(found) != 1:
            raise Unsettled(f"{name} is to end, at work are {sorted(self.ops)}")
        future = self.ops[found[0]]
        future.set_result(None) if well else future.set_exception(Told("told to fail"))

    def clear(self) -> None:
        """Let all ops go: one that is stubborn would keep its worker from ending."""
        for future in self.ops.values():
            if not future.done():
                future.set_result(None)

    def jobs(self, plans: Mapping[str, JobPlan]) -> dict[str, Job]:
        """Return jobs whose ops play here."""
        return {name: self._job(name, plan) for name, plan in plans.items()}

    def _job(self, name: str, plan: JobPlan) -> Job:
        ops = []
        for each, told in plan.ops.items():
            arguments = dict(told)
            play = self.play_on if arguments.pop("stubborn", False) else self.play

            ops.append(op(name=each, **arguments)(play))
        executor = in_process(plan.executor or {"max_concurrent": 20})
        made = job(
            ops=ops, name=name, tags=plan.tags, executor=executor, config=plan.config, max_attempts=plan.max_attempts
        )
        return made(lambda: None)


@dataclass
class Member:
    """One worker of the fleet."""

    client: Client
    worker: Worker
    task: asyncio.Task[None]

    def is_settled(self, leases: Sequence[LeaseView], runs: Mapping[str, RunView]) -> bool:
        """Whether this process knows what the server does, and the server what this process does."""
        session = self.client.connections.session
        ledger = session.ledger
        mine = {int(lease.id.rpartition("/")[2]) for lease in leases if lease.session == session.id}
        seats = self.worker._seats
        canceling = {h.run["id"] for h in ledger.held.values() if h.run is not None and h.canceling is not None}
        working = {seat.run for seat in seats if seat.run is not None}
        free = sum(seat.taken and seat.run is None for seat in seats)
        waits = sum(hasattr(request, "queues") for request in ledger.awaited.values())
        return (
            not ledger.unanswered
            and mine == set(ledger.held)
            and free == waits
            and (session.listening or not ledger.awaited)
            and not any(run in runs and runs[run].status == "STARTING" for run in working)
            and all(run in canceling for run in working if run in runs and runs[run].status == "CANCELING")
        )


@dataclass
class Fleet:
    """The workers of one namespace, and a client that looks at it."""

    url: str
    namespace: str
    ttl: float
    jobs: dict[str, Job]
    members: dict[str, Member] = field(default_factory=dict)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self._connect()

    def _connect(self) -> Client:
        return connect(self.url, namespace=self.namespace, ttl=self.ttl, init=True)

    async def join(self, name: str, plan: WorkerPlan) -> None:
        """Start a worker; it waits for runs when this returns, or has some."""
        known = self.jobs if plan.jobs is None else {job: self.jobs[job] for job in plan.jobs}
        client = self._connect()
        settings = WorkerSettings(queues=tuple(plan.queues), concurrency=plan.seats)
        worker = Worker(Location("here", known), client.connections, settings)
        task = asyncio.create_task(worker.work(), name=name)
        self.members[name] = Member(client, worker, task)
        ready = asyncio.create_task(worker.ready.wait())
        await asyncio.wait({task, ready}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task

    def drain(self, name: str) -> None:
        """Let a worker take no more."""
        self.members[name].worker.drain()

    async def stop(self, name: str) -> None:
        """End a worker in order: its runs go back to their queues."""
        member = self.members.pop(name)
        member.task.cancel()
        with suppress(asyncio.CancelledError):
            await member.task
        member.client.close()

    async def die(self, name: str) -> None:
        """End a worker without a word: its sockets close, and nothing is said to the server."""
        member = self.members.pop(name)
        member.client.connections.session.begun = False  # so that closing does not end the session at the server
        member.client.close()
        member.task.cancel()
        with suppress(asyncio.CancelledError):
            await member.task

    async def settle(self) -> None:
        """Return when nothing is on its way any more between the workers and the server."""
        give_up = asyncio.get_running_loop().time() + PATIENCE
        while True:
            if self._is_settled():
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                if self._is_settled():
                    return
            if asyncio.get_running_loop().time() > give_up:
                raise Unsettled(f"it never came to rest: {[member.worker for member in self.members.values()]}")
            await asyncio.sleep(0.001)

    def _is_settled(self) -> bool:
        leases = self.client.leases()
        runs = {run.id: run for status in IN_PROGRESS for run in self.client.runs.list(status, most=1000)}
        for member in self.members.values():
            if member.task.done() and not member.worker._draining:
                member.task.result()
            if not member.task.done() and not member.is_settled(leases, runs):
                return False
        return True

    async def close(self) -> None:
        """End all workers."""
        for name in list(self.members):
            await self.stop(name)
        self.client.close()
