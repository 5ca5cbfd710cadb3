"""Plan: which ops of a run may begin, and what becomes of those that cannot. Pure: no clock, no task, no process.

An op is `blocked` until all before it have succeeded, then `ready`; `taken` while it asks for the slots of its pools;
`running`; in the end `succeeded`, `failed` or `skipped`. Invariant: only a running op counts against the limits of the
run, so one that waits for slots keeps nobody else from starting. To keep the number of those that wait in bounds, ops
with the same pools ask no more at once than could start at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Literal, TypeAlias

from workers.job import Job, Step
from workers.limits import TagLimit

__all__ = ["Plan", "State"]

State: TypeAlias = Literal["blocked", "ready", "taken", "running", "succeeded", "failed", "skipped"]
Pools: TypeAlias = "frozenset[tuple[str, int]]"  # with slots; ops that have them in common wait in the same line
Counter: TypeAlias = (
    "tuple[int, str]"  # what an op is counted as: (1, "database=postgres") under the limit with index 1
)
Kind: TypeAlias = "tuple[Pools, tuple[Counter, ...]]"  # when one op of a kind may not begin, none of it may

_NO_POOLS: Pools = frozenset()


class _Progress:
    """One op of one run."""

    __slots__ = ("attempt", "counters", "kind", "missing", "name", "not_before", "order", "pools", "state", "step")

    def __init__(self, step: Step, place: int, limits: Sequence[TagLimit]) -> None:
        op = step.op
        self.step = step
        self.name = op.name
        self.order = (-op.priority, place)  # the smallest goes first
        self.missing = len(step.upstream)
        self.state: State = "blocked"
        self.attempt = 0
        self.not_before = 0.0  # the caller's clock
        self.pools: Pools = frozenset(op.pools.items()) if op.pools else _NO_POOLS
        self.counters: dict[Counter, int] = {}  # with the limit of each
        for index, limit in enumerate(limits):
            counted = limit.counter(op.tags)
            if counted is not None:
                self.counters[index, counted] = limit.limit
        self.kind: Kind = (self.pools, tuple(self.counters))

    def __lt__(self, other: _Progress) -> bool:
        return self.order < other.order


class _Count:
    """How many ops there are, and of each counter."""

    __slots__ = ("by_counter", "ops")

    def __init__(self) -> None:
        self.ops = 0
        self.by_counter: dict[Counter, int] = {}

    def change(self, op: _Progress, by: int) -> None:
        self.ops += by
        for counter in op.counters:
            self.by_counter[counter] = self.by_counter.get(counter, 0) + by


class Plan:
    """The ops of one run. Times are the caller's, in seconds on any clock."""

    def __init__(self, job: Job, limits: Sequence[TagLimit] = ()) -> None:
        self._ops = {step.op.name: _Progress(step, place, limits) for place, step in enumerate(job.steps.values())}
        self._ready: dict[Kind, list[_Progress]] = {}  # heaps
        self._delayed: list[_Progress] = []  # ready but for the delay before a retry
        self._running = _Count()
        self._asking: dict[Pools, _Count] = {}
        self._left = len(self._ops)
        for op in self._ops.values():
            if op.missing == 0:
                self._make_ready(op)

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
        if self._delayed:
            self._end_delays(now)
        if self._running.ops >= most:
            return []
        begun: list[Step] = []
        heads = [ready[0] for ready in self._ready.values()]
        heapify(heads)
        while heads:
            op = heappop(heads)
            asking = self._asking.setdefault(op.pools, _Count())
            if not self._fits(op, most, asking):
                continue
            op.state = "taken"
            asking.change(op, +1)
            begun.append(op.step)
            ready = self._ready[op.kind]
            heappop(ready)
            if ready:
                heappush(heads, ready[0])
            else:
                del self._ready[op.kind]
        return begun

    def start(self, name: str, most: int) -> bool:
        """Start an op that was taken; False: others were faster, and it is ready again."""
        op = self._ops[name]
        self._asking[op.pools].change(op, -1)
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
        op.state = "ready"
        self._delayed.append(op)
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
        return sorted(skipped, key=lambda each: self._ops[each].order[1])

    def wake(self, now: float) -> float | None:
        """Return the seconds until the delay of the next retry is over, or None when none waits for that."""
        return min((max(0.0, op.not_before - now) for op in self._delayed), default=None)

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
        heappush(self._ready.setdefault(op.kind, []), op)

    def _end_delays(self, now: float) -> None:
        over = [op for op in self._delayed if op.not_before <= now]
        self._delayed = [op for op in self._delayed if op.not_before > now]
        for op in over:
            self._make_ready(op)

    def _end(self, op: _Progress, state: State) -> None:
        if op.state == "taken":
            self._asking[op.pools].change(op, -1)
        elif op.state == "running":
            self._running.change(op, -1)
        op.state = state
        self._left -= 1
