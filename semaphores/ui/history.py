"""History: how full each limit was in the last hour, as this process saw it. In memory, gone with the process. Pure.

Time is cut into steps; of each step the peaks are kept, so that a short queue is not lost between two looks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from semaphores.status import LimitStatus

__all__ = ["POINTS", "STEP", "History", "Moment"]

STEP = 30  # seconds: 120 points fit the width of a chart
POINTS = 120
MOST_LIMITS = 10_000  # with a history: some 15 MB
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a limit's history; None: nobody looked."""

    used: int | None
    waiting: int | None
    capacity: int | None  # also None: unlimited


class _Series:
    """The last hour of one limit, in rings; the place in a ring is the number of its step."""

    __slots__ = ("capacity", "step", "used", "waiting")

    def __init__(self, step: int) -> None:
        self.step = step - POINTS
        self.used, self.waiting, self.capacity = (array("i", [UNKNOWN]) * POINTS for _ in range(3))

    def advance(self, step: int) -> None:
        """Forget the steps that nobody looked at."""
        for passed in range(max(self.step + 1, step - POINTS + 1), step + 1):
            at = passed % POINTS
            self.used[at] = self.waiting[at] = self.capacity[at] = UNKNOWN
        self.step = step

    def note(self, step: int, limit: LimitStatus) -> None:
        """Keep the peaks of a step."""
        if step > self.step:
            self.advance(step)
        at = step % POINTS
        self.used[at] = max(self.used[at], limit.used)
        self.waiting[at] = max(self.waiting[at], limit.waiting)
        self.capacity[at] = UNKNOWN if limit.capacity is None else limit.capacity


class History:
    """The last hour of all limits that were ever used or waited for in it."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self._steps: list[int] = []  # at which anything was seen, the latest POINTS

    def note(self, at: float, limits: Iterable[LimitStatus]) -> None:
        """Take in all limits as they are at a time in seconds. Those that are idle for an hour are forgotten."""
        step = int(at // STEP)
        if not self._steps or step > self._steps[-1]:
            self._steps = [*self._steps, step][-POINTS:]
            self._forget(step)
        for limit in limits:
            series = self._series.get(limit.limit)
            if series is None:
                if not (limit.used or limit.waiting) or len(self._series) >= MOST_LIMITS:
                    continue
                series = self._series[limit.limit] = _Series(step)
            series.note(step, limit)

    def of(self, limit: str, at: float) -> tuple[Moment, ...]:
        """Return the last hour of a limit, the oldest step first. Steps before its first use are 0."""
        step = int(at // STEP)
        seen, series = set(self._steps), self._series.get(limit)
        found = []
        for one in range(step - POINTS + 1, step + 1):
            if one not in seen:
                found.append(Moment(None, None, None))
            elif series is None or not series.step - POINTS < one <= series.step or series.used[one % POINTS] < 0:
                found.append(Moment(0, 0, None))
            else:
                at_ring, capacity = one % POINTS, series.capacity[one % POINTS]
                known = None if capacity < 0 else capacity
                found.append(Moment(series.used[at_ring], series.waiting[at_ring], known))
        return tuple(found)

    def _forget(self, step: int) -> None:
        for name, series in list(self._series.items()):
            if step - series.step >= POINTS or max(*series.used, *series.waiting) <= 0:
                del self._series[name]
