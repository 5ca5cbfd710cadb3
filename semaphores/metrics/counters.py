"""Counters: what happened in this process, counted as it happens. An observer of its session, and of its worker.

Invariant: counting is a few additions under a lock of its own and no I/O: observers are called with the session locked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock

from semaphores.session.events import Began, Epoch, Event, Granted, Lost

__all__ = ["ACQUIRE", "OTHERS", "RUN", "Counters", "Counts", "Spread"]

ACQUIRE, RUN = "acquire", "run"  # what was granted
WAITS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)  # seconds: a round trip, up to an hour in line
DURATIONS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)  # seconds: runs take up to a day
MOST_JOBS = 200  # named one by one; the rest count as OTHERS
OTHERS = "(others)"  # no job can be called so


@dataclass(slots=True)
class Spread:
    """A histogram."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)  # by bucket, the last without a bound
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return how many values are at most each bound, as Prometheus counts."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))

    def copy(self) -> Spread:
        """Return it as it is now."""
        copy = Spread(self.bounds, self.total)
        copy.counts = list(self.counts)
        return copy


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted until now."""

    grants: dict[str, int]
    hand_offs: dict[str, int]
    waits: Spread
    lost: int
    epochs: int
    sessions: int
    finished: dict[tuple[str, str], int]  # by job and status
    durations: dict[str, Spread]  # by job


class Counters:
    """Counts; `observe` is an observer of a session, `run_over` is told by whoever works on runs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._grants = {ACQUIRE: 0, RUN: 0}
        self._hand_offs = {ACQUIRE: 0, RUN: 0}
        self._waits = Spread(WAITS)
        self._others: Counter[type[Event]] = Counter()
        self._finished: Counter[tuple[str, str]] = Counter()
        self._durations: dict[str, Spread] = {}

    def observe(self, event: Event) -> None:
        """Count an event of a session."""
        with self._lock:
            if not isinstance(event, Granted):
                self._others[type(event)] += 1
                return
            of = ACQUIRE if event.run is None else RUN
            self._grants[of] += 1
            if event.in_line:
                self._hand_offs[of] += 1
            if event.run is None:  # a seat that waited for a run is no trouble of anybody's
                self._waits.add(event.waited)

    def run_over(self, job: str, status: str, seconds: float) -> None:
        """Count a run that ended here."""
        with self._lock:
            name = job if job in self._durations or len(self._durations) < MOST_JOBS else OTHERS
            self._finished[name, status] += 1
            self._durations.setdefault(name, Spread(DURATIONS)).add(seconds)

    def counts(self) -> Counts:
        """Return what was counted until now."""
        with self._lock:
            return Counts(
                dict(self._grants),
                dict(self._hand_offs),
                self._waits.copy(),
                self._others[Lost],
                self._others[Epoch],
                self._others[Began],
                dict(self._finished),
                {job: spread.copy() for job, spread in self._durations.items()},
            )
