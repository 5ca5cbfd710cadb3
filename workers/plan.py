"""Plan: which ops of a run may begin, and what becomes of those that cannot. Pure: no clock, no task, no process.

An op is `blocked` until all before it have succeeded, then `ready`; `taken` while it asks for the slots of its pools;
`running`; in the end `succeeded`, `failed` or `skipped`. Invariant: only a running op counts against the limits of the
run, so one that waits for slots keeps nobody else from starting. To keep the number of those that wait in bounds, ops
with the same pools ask no more at once than could start at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from workers.job import Job, Step
from workers.limits import TagLimit

__all__ = ["Plan", "State"]

State: TypeAlias = Literal["blocked", "ready", "taken", "running", "succeeded", "failed", "skipped"]
Kind: TypeAlias = "frozenset[tuple[str, int]]"  # ops with the same pools and slots


class _Progress:
    """One op of one run."""

    __slots__ = ("attempt", "counters", "kind", "missing", "name", "not_before", "state", "step")

    def __init__(self, step: Step, limits: Sequence[TagLimit]) -> None:
        self.step = step
        self.name = step.op.name
        self.missing = len(step.upstream)
        self.state: State = "blocked" if self.missing else "ready"
        self.attempt = 0
        self.not_before = 0.0  # the caller's clock
        self.kind: Kind = frozenset(step.op.pools.items()) if step.op.pools else frozenset()
        # what it is counted as, with the limit of it: (1, "database=postgres") under the limit with index 1
        self.counters: dict[tuple[int, str], int] = {}
        for index, limit in enumerate(limits):
            counted = limit.counter(step.op.tags)
            if counted is not None:
                self.counters[index, counted] = limit.limit


class _Count:
    """How many ops there are, and of each counter."""

    __slots__ = ("by_counter", "ops")

    def __init__(self) -> None:
        self.ops = 0
        self.by_counter: dict[tuple[int, str], int] = {}

    def change(self, op: _Progress, by: int) -> None:
        self.ops += by
        for counter in op.counters:
            self.by_counter[counter] = self.by_counter.get(counter, 0) + by


class Plan:
    """The ops of one run. Times are the caller's, in seconds on any clock."""

    def __init__(self, job: Job, limits: Sequence[TagLimit] = ()) -> None:
        self._ops = {name: _Progress(step, limits) for name, step in job.steps.items()}
        self._ready = [op for op in self._ops.values() if op.state == "ready"]
        self._order = {name: (-op.step.op.priority, place) for place, (name, op) in enumerate(self._ops.items())}
        self._running = _Count()
        self._asking: dict[Kind, _Count] = {}
        self._left = len(self._ops)

    def __repr__(self) -> str:
        states = [op.state for op in self._ops.values()]
        return f"<Plan {', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))}>"

    @property
    def over(self) -> bool:
        """Whether no op is left to run."""
        return self._left == 0

    def state(self, name: str) -> State:
        """Return what an op is at."""
        return self._ops[name].state

    def attempt(self, name: str) -> int:
        """Return how often an op was started."""
        return self._ops[name].attempt

    def take(self, most: int, now: float) -> list[Step]:
        """Return the ops that may begin now, when `most` may run at once: the best first, each one `taken`.

        One without pools is to be started; the others ask for their slots, and may find that it is too late to start.
        """
        if not self._ready:
            return []
        self._ready.sort(key=lambda op: self._order[op.name])
        begun: list[_Progress] = []
        for op in self._ready:
            if op.not_before <= now and self._fits(op, most, self._asking.get(op.kind)):
                op.state = "taken"
                self._asking.setdefault(op.kind, _Count()).change(op, +1)
                begun.append(op)
        self._ready = [op for op in self._ready if op.state == "ready"]
        return [op.step for op in begun]

    def start(self, name: str, most: int) -> bool:
        """Start an op that was taken; False: others were faster, and it is ready again."""
        op = self._ops[name]
        self._asking[op.kind].change(op, -1)
        if not self._fits(op, most, None):
            self._make_ready(op)
            return False
        op.state = "running"
        op.attempt += 1
        self._running.change(op, +1)
        return True

    def succeed(self, name: str) -> None:
        """Note that an op succeeded."""
        op = self._ops[name]
        self._end(op, "succeeded")
        for each in op.step.downstream:
            below = self._ops[each]
            below.missing -= 1
            if below.missing == 0 and below.state == "blocked":
                self._make_ready(below)

    def retry(self, name: str, now: float) -> bool:
        """Have a running op tried again when its delay is over; False: it has no attempt left."""
        op = self._ops[name]
        if op.attempt > op.step.op.retries:
            return False
        self._running.change(op, -1)
        op.not_before = now + op.step.op.retry_delay
        self._make_ready(op)
        return True

    def fail(self, name: str) -> list[str]:
        """Note that an op failed for good. Return the ops that cannot run for that."""
        self._end(self._ops[name], "failed")
        skipped: list[str] = []
        at = [name]
        while at:
            for each in self._ops[at.pop()].step.downstream:
                if self._ops[each].state == "blocked":
                    self._end(self._ops[each], "skipped")
                    skipped.append(each)
                    at.append(each)
        return sorted(skipped, key=lambda each: self._order[each][1])

    def wake(self, now: float) -> float | None:
        """Return the seconds until the delay of the next retry is over, or None when none waits for that."""
        return min((op.not_before - now for op in self._ready if op.not_before > now), default=None)

    def unended(self) -> Mapping[str, State]:
        """Return the ops that are taken or running."""
        return {op.name: op.state for op in self._ops.values() if op.state in ("taken", "running")}

    def _fits(self, op: _Progress, most: int, beside: _Count | None) -> bool:
        """Whether an op may start beside those that run, and those `beside` them that may be about to."""
        if self._running.ops + (beside.ops if beside else 0) >= most:
            return False
        for counter, limit in op.counters.items():
            used = self._running.by_counter.get(counter, 0) + (beside.by_counter.get(counter, 0) if beside else 0)
            if used >= limit:
                return False
        return True

    def _make_ready(self, op: _Progress) -> None:
        op.state = "ready"
        self._ready.append(op)

    def _end(self, op: _Progress, state: State) -> None:
        if op.state == "taken":
            self._asking[op.kind].change(op, -1)
        elif op.state == "running":
            self._running.change(op, -1)
        op.state = state
        self._left -= 1
