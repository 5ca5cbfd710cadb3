"""Execute: one run from its first op to its last. `plan` says what may begin; this carries it out and tells of it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import Self

import anyio

from semaphores import tracing
from semaphores.errors import UsageError
from semaphores.guard.clock import now
from workers.context import Context
from workers.errors import RunFailed
from workers.executor.call import Call, Carrier, OpFailed
from workers.executor.children import Children
from workers.executor.in_process import InProcess
from workers.executor.logs import RunLog
from workers.executor.multiprocess import Multiprocess
from workers.executor.protocol import Company, Gate, Held, LogLine, OpEvent, Report, Rest, RunInfo
from workers.executor.trace import line_of, trace_of
from workers.job import Job, Step
from workers.limits import Executor, never_starts
from workers.op import Op
from workers.packing import NONE, packed_map
from workers.plan import Plan

__all__ = ["Executors", "RunFailed", "execute"]

LOOK_EVERY = 1.0  # seconds: a max_concurrent that is a function is asked as often while nothing else happens


class Executors:
    """What the runs of one worker process share: child processes, threads, and the way of log records to their runs."""

    def __init__(self, children: Children | None = None, company: Company | None = None) -> None:
        self.children = children or Children(company)
        self._log = RunLog()

    async def __aenter__(self) -> Self:
        self.threads = anyio.CapacityLimiter(math.inf)  # how many ops run at once is the runs' to say
        logging.getLogger().addHandler(self._log)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self._log)
        await self.children.close()


async def execute(
    job: Job,
    run: RunInfo,
    gate: Gate,
    report: Report,
    rest: Rest,
    executors: Executors,
    *,
    cancel_timeout: float = 5.0,
) -> bytes | None:
    """Carry out one attempt of a run, and return the packed results of its ops by name; None: all were None.

    `rest` says for how many seconds the run's own lease is certainly held: no child process lives longer. Cancelled, it
    ends the ops (SIGTERM to a child process, SIGKILL after `cancel_timeout` seconds) and returns when they are over.

    Raises:
        RunFailed: an op failed, or the run could not begin as it is.
    """
    try:
        executor = job.executor_for(run.config)
        job.check_args(run.args)
    except UsageError as error:
        raise RunFailed(str(error)) from None
    if executor.tag_limits and (never := never_starts(job.ops, executor.tag_limits)):
        raise RunFailed(never)
    carrier: Carrier = (
        InProcess(executors.threads)
        if executor.kind == "in_process"
        else Multiprocess(executors.children, cancel_timeout)
    )
    return await _Execution(job, run, executor, gate, report, rest, carrier).carry_out()


class _Execution:
    """One attempt of one run."""

    def __init__(
        self, job: Job, run: RunInfo, executor: Executor, gate: Gate, report: Report, rest: Rest, carrier: Carrier
    ) -> None:
        self.job, self.run, self.executor, self.gate = job, run, executor, gate
        self.report, self.rest, self.carrier = report, rest, carrier
        self.plan = Plan(job, executor.tag_limits)
        self.results: dict[str, bytes] = {}
        self.failures: dict[str, str] = {}
        self.skipped: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()

    async def carry_out(self) -> bytes | None:
        """Run all that can run. Raises RunFailed."""
        try:
            if self.job.uses_pools or callable(self.executor.max_concurrent) or self.executor.most() > 1:
                await self._together()
            else:
                await self._in_turn()
        except (asyncio.CancelledError, RunFailed):
            for name in self.plan.unended():
                self.report(OpEvent(name, "CANCELED", max(1, self.plan.attempt(name))))
            raise
        if self.failures:
            raise RunFailed(_told(self.failures), failures=self.failures, skipped=tuple(self.skipped))
        told = {name: packed for name, packed in self.results.items() if packed != NONE}
        return packed_map(told) if told else None

    async def _in_turn(self) -> None:
        """One op after the other, none of which waits for slots: no other task is needed."""
        plan = self.plan
        while not plan.over:
            for step in plan.take(1, now()):
                plan.start(step.op.name, 1)
                await self._attempt(step, None)
            if not plan.over and (pause := plan.wake(now())) is not None:
                await anyio.sleep(pause)

    async def _together(self) -> None:
        """Whatever may run at once, at once: a task for each op."""
        self._changed = asyncio.Event()
        trouble: Exception | None = None
        async with anyio.create_task_group() as tasks:
            while not self.plan.over:
                self._changed.clear()
                try:
                    self._most = self.executor.most()
                except Exception as error:  # noqa: BLE001 - the user's function
                    trouble = error
                    tasks.cancel_scope.cancel()
                    break
                for step in self.plan.take(self._most, now()):
                    if step.op.pools:
                        tasks.start_soon(self._with_slots, step)
                    elif self.plan.start(step.op.name, self._most):
                        tasks.start_soon(self._without_slots, step)
                await self._change()
        if trouble is not None:
            raise RunFailed(f"max_concurrent of job {self.job.name!r} cannot be asked: {line_of(trouble)}")

    async def _change(self) -> None:
        """Wait until something else may begin."""
        longest = LOOK_EVERY if callable(self.executor.max_concurrent) else math.inf
        if (pause := self.plan.wake(now())) is not None:
            longest = min(longest, pause)
        if longest == math.inf:
            await self._changed.wait()
            return
        with anyio.move_on_after(longest):
            await self._changed.wait()

    async def _without_slots(self, step: Step) -> None:
        await self._attempt(step, None)
        self._changed.set()

    async def _with_slots(self, step: Step) -> None:
        """Get the slots of an op and run it, unless it may not start any more when they come."""
        op, plan = step.op, self.plan

        def waiting(limit: str) -> None:
            self.report(OpEvent(op.name, "WAITING", plan.attempt(op.name) + 1, limit))

        try:
            async with self.gate.slots(op, waiting) as held:
                if plan.start(op.name, self._most):
                    await self._attempt(step, held)
        except Exception as error:  # noqa: BLE001 - the gate's: the slots cannot be had, or were lost
            if plan.state(op.name) in ("taken", "running"):
                self._failed(op, error)
            else:
                self.report(LogLine(op.name, "WARNING", line_of(error)))
        self._changed.set()

    async def _attempt(self, step: Step, held: Held | None) -> None:
        """Run an op once, and note how it ended."""
        op = step.op
        attempt = self.plan.attempt(op.name)
        self.report(OpEvent(op.name, "STARTED", attempt))
        try:
            packed = await self._carried(self._call(step, attempt, held))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._failed(op, error)  # the op's own: nobody canceled the run
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an op raises
            self._failed(op, error)
        else:
            self.results[op.name] = packed
            self.plan.succeed(op.name)
            self.report(OpEvent(op.name, "SUCCESS", attempt))

    async def _carried(self, call: Call) -> bytes:
        """Carry out one call, inside a span where somebody wants that."""
        if not tracing.on:
            return await self.carrier(call)
        about = {"op": call.context.op, "run": self.run.id, "attempt": str(call.context.attempt)}
        with tracing.span("semaphores op", {f"semaphores.{name}": value for name, value in about.items()}) as span:
            try:
                packed = await self.carrier(call)
            except BaseException as error:
                tracing.note(span, f"FAILURE: {line_of(error)}")
                raise
            tracing.note(span, "SUCCESS")
            return packed

    def _call(self, step: Step, attempt: int, held: Held | None) -> Call:
        run, name = self.run, step.op.name
        tell = self._teller(name)
        context = Context(run.id, run.job, name, attempt, run.attempt, run.tags, run.token, tell)
        rest = self.rest if held is None else lambda: min(self.rest(), held.rest())
        return Call(self.job, step, context, self.results, run.args, rest)

    def _teller(self, op: str) -> Callable[[str, str], None]:
        """Return what writes a line of an op to the run's log, from any thread."""

        def tell(kind: str, text: str) -> None:
            line = LogLine(op, kind, text)
            if get_ident() == self._thread:
                self.report(line)
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.report, line)

        return tell

    def _failed(self, op: Op, error: BaseException) -> None:
        """Note that an attempt failed, or that an op could not begin (which no retry would change)."""
        plan = self.plan
        line = error.line if isinstance(error, OpFailed) else line_of(error)
        for text in error.trace if isinstance(error, OpFailed) else trace_of(error):
            self.report(LogLine(op.name, "ERROR", text))
        attempt = max(1, plan.attempt(op.name))
        if plan.state(op.name) == "running" and plan.retry(op.name, now()):
            self.report(OpEvent(op.name, "RETRY", attempt, text=line))
            return
        skipped = plan.fail(op.name)
        self.failures[op.name] = line
        self.skipped += skipped
        self.report(OpEvent(op.name, "FAILURE", attempt, text=line))
        for name in skipped:
            self.report(OpEvent(name, "SKIPPED", text=f"op {op.name!r} failed"))


def _told(failures: dict[str, str]) -> str:
    if len(failures) == 1:
        return "".join(f"op {name!r} failed: {line}" for name, line in failures.items())
    return f"{len(failures)} ops failed: " + "; ".join(f"{name!r}: {line}" for name, line in failures.items())
