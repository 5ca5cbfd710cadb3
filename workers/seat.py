"""Seat: one place of a worker: asks for a run, works on it, finishes it, and asks for the next in the same call.

Invariants: a run is worked on only while its lease is certainly held; it is finished once, by the token of its lease,
and stays in the books until the server has answered that, else a beat that comes first would call it lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from semaphores import tracing
from semaphores.lease import Stake, chain
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import Cancel, Release
from semaphores.scripts.run_commands import Finish, Report, Start, opaque
from semaphores.scripts.stored import parse_needs
from semaphores.session.ledger import AwaitingRun, Holding
from workers.definitions import Location
from workers.executor.execute import Executors, RunFailed, execute
from workers.gate import OpenGate, PoolGate
from workers.journal import Journal
from workers.line import Line
from workers.told import read_run

__all__ = ["Crew", "RunOver", "Seat"]

_log = logging.getLogger("workers")
TELL_EVERY = 0.1  # seconds: what a run's ops are at is told as often


@dataclass(frozen=True, slots=True)
class RunOver:
    """A run that ended here."""

    run: str
    job: str
    status: str  # as the server has it
    seconds: float  # since this worker got it


@dataclass(slots=True)
class Crew:
    """What the seats of a worker share."""

    line: Line
    location: Location
    executors: Executors
    queues: str  # `a,b`
    code: str
    keep: int  # finished runs of a status that the namespace keeps
    cancel_timeout: float  # seconds that an op has to end once it is canceled
    enroll: Callable[[], object]  # called when the server does not know the worker (any more)
    on_over: Callable[[RunOver], None] = lambda over: None
    ending: set[object] = field(default_factory=set)  # runs that are over, and the server has not said so yet


class Seat:
    """One run at a time."""

    def __init__(self, crew: Crew, holder: str) -> None:
        self.crew = crew
        self.holder = holder  # HOST:PID:SEAT, one word
        self.run: str | None = None  # that it works on
        self.taken = False  # a task keeps it
        self._request: AwaitingRun | None = None
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Seat {self.holder}, {self.run or 'free'}>"

    async def work(self, wanted: Callable[[], bool]) -> None:
        """Take one run after the other, as long as this seat is wanted."""
        while wanted():
            holding = await self._next()
            if holding is not None:
                await self._carry_out(holding)

    def stand_up(self) -> None:
        """Stop waiting for a run; one that it works on goes on."""
        request = self._request
        if request is not None and self.crew.line.session.give_up(request):
            self.crew.line.post(Cancel(request.n))
            self._woken.set()

    async def _next(self) -> Holding | None:
        """Wait for a run; None: the seat was given up, or the server did not know the worker."""
        line = self.crew.line
        self._woken.clear()
        request = AwaitingRun(
            "", self.holder, 0, lambda: line.soon(self._woken.set), queues=self.crew.queues, code=self.crew.code
        )
        self._request = request
        line.post_take(request)
        try:
            await self._woken.wait()
        except BaseException:
            self._give_back(request)
            raise
        finally:
            self._request = None
        if isinstance(request.outcome, Holding):
            return request.outcome
        if not request.given_up:
            self.crew.enroll()
        return None

    def _give_back(self, request: AwaitingRun) -> None:
        line = self.crew.line
        if line.session.give_up(request):
            line.post(Cancel(request.n))
        elif isinstance(request.outcome, Holding) and line.session.let_go(request.outcome):
            line.post(Release(request.outcome.n, request.outcome.token))

    async def _carry_out(self, holding: Holding) -> None:
        job = _Execution(self.crew, holding)
        self.run = job.run.id
        try:
            await job.carry_out()
        finally:
            self.run = None


class _Execution:
    """One attempt of one run."""

    def __init__(self, crew: Crew, holding: Holding) -> None:
        told = holding.run or {}
        self.crew, self.line, self.holding = crew, crew.line, holding
        self.run, self._unreadable = read_run(told, int(holding.token))
        self._told = told
        self._begun = self.line.loop.time()
        self.ended = ""  # how, once it is over here
        self._timer: asyncio.TimerHandle | None = None
        self._start: asyncio.Handle = self.line.loop.call_soon(self._tell_start)  # what is over at once needs none
        self._journal = Journal(self._tell_soon)
        self._scope = anyio.CancelScope()

    async def carry_out(self) -> None:
        """Run it to its end, and say how it ended."""
        if not tracing.on:
            await self._carry_out()
            return
        about = {
            "job": self.run.job,
            "run": self.run.id,
            "queue": self._told.get("queue", ""),
            "attempt": str(self.run.attempt),
        }
        with tracing.span("semaphores run", {f"semaphores.{name}": value for name, value in about.items()}) as span:
            await self._carry_out()
            tracing.note(span, self.ended)

    async def _carry_out(self) -> None:
        holding = self.holding
        holding.watchers.append(self._told_to_stop)
        if holding.lost is not None or holding.canceling is not None:
            self._scope.cancel()
        try:
            with self._scope:
                status, reason, results = await self._execute()
            if self._scope.cancelled_caught:
                status, reason, results = "CANCELED", holding.canceling or "", None
        except Exception as error:  # noqa: BLE001 - ours, not an op's: it must not end the worker and its other runs
            _log.exception("run %s could not be carried out", self.run.id, extra=self._about)
            status, reason, results = "FAILURE", f"its worker failed: {type(error).__name__}: {error}", None
        except BaseException:  # the worker itself is ended: the run goes back to its queue
            self._release()
            raise
        if holding.lost is not None:
            _log.warning("run %s was lost: %s", self.run.id, holding.lost, extra=self._about)
            self.ended = f"LOST: {holding.lost}"
            self._release()  # of one that was taken away by force the server waits for that, a T at most
            return
        self.ended = f"{status}: {reason}" if reason else status
        self._finish(status, reason, results)

    async def _execute(self) -> tuple[str, str, bytes | None]:
        job = self.crew.location.jobs.get(self.run.job)
        if self._unreadable:
            return "FAILURE", self._unreadable, None
        if job is None:  # enrolled by an older version of this code
            return "FAILURE", f"this worker has no job {self.run.job!r}", None
        needs = parse_needs(self.holding.needs)
        held = Stake(self.line.connections, self.holding, needs, ())
        by_run = any(limit.startswith("pool:") for limit in needs)
        priority = int(self._told.get("priority", "0"))
        gate = OpenGate() if by_run else PoolGate(self.line.connections, self.run.id, priority)
        before = chain.set((held,))  # what the code of its ops asks for again is lent by the run
        try:
            results = await execute(
                job,
                self.run,
                gate,
                self._journal.note,
                self._rest,
                self.crew.executors,
                cancel_timeout=self.crew.cancel_timeout,
            )
        except RunFailed as failed:
            return "FAILURE", str(failed), None
        finally:
            held.left = True
            chain.reset(before)
        return "SUCCESS", "", results

    @property
    def _about(self) -> dict[str, str]:
        """What a line of the log is about."""
        return {"run": self.run.id, "job": self.run.job, "lease": self.holding.id}

    def _rest(self) -> float:
        """Seconds for which the run's lease is certainly held."""
        return 0.0 if self.line.session.lost_error(self.holding) else self.line.session.deadline.left()

    def _told_to_stop(self) -> None:
        self.line.soon(self._scope.cancel)

    def _tell_start(self) -> None:
        ops, entries = self._journal.take()
        self.line.post(Start(self.run.id, self.holding.token, ops, entries), self._started)

    def _started(self, answer: Answer) -> None:
        if answer["answer"] == "stale" and not self._to_be_brought_back():
            self.holding.lose("another attempt of the run began")

    # telling

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = self.line.loop.call_later(TELL_EVERY, self._tell)

    def _tell(self) -> None:
        self._timer = None
        ops, entries = self._journal.take()
        if ops or entries:
            self.line.post(Report(self.run.id, self.holding.token, ops, entries))

    def _finish(self, status: str, reason: str, results: bytes | None) -> None:
        self._start.cancel()
        if self._timer is not None:
            self._timer.cancel()
        ops, entries = self._journal.take()
        finish = Finish(
            self.run.id,
            self.holding.token,
            status,  # type: ignore[arg-type]
            " ".join(reason.split())[:2000] or None,
            None if results is None else opaque(results),
            ops,
            entries,
            self.crew.keep,
        )
        self.crew.ending.add(self)
        self.holding.finishing = True
        self._post_finish(finish)

    def _post_finish(self, finish: Finish) -> None:
        self.line.post(finish, lambda answer: self._finished(finish, answer))

    def _to_be_brought_back(self) -> bool:
        """Whether the server lost its data, so that it does not know the run before a beat has told it."""
        return self.line.session.grace_until is not None and self.holding.lost is None

    def _finished(self, finish: Finish, answer: Answer) -> None:
        if answer["answer"] == "stale" and self._to_be_brought_back():
            self.line.loop.call_later(TELL_EVERY, self._post_finish, finish)
            return
        self.crew.ending.discard(self)
        self.line.session.let_go(self.holding)
        status = str(answer.get("status", answer["answer"]))
        if answer["answer"] != "finished":
            _log.warning("the end of run %s came too late: it is %s", self.run.id, status, extra=self._about)
        self.crew.on_over(RunOver(self.run.id, self.run.job, status, self.line.loop.time() - self._begun))

    def _release(self) -> None:
        self._start.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self.line.session.let_go(self.holding):
            self.line.post(Release(self.holding.n, self.holding.token))
