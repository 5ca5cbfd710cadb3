"""Deadline: until when a session may believe that it lives, by its own clock, whatever the server says.

D = send time of its last acknowledged call + T − margin. Pure but for reading the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ["BEAT", "Deadline", "beat_interval", "margin", "suspend_clock"]

BEAT = 1.5  # seconds between beats at most; always shorter than the step of the lease clock (min(2 s, T/5))
BEAT_WAITING = 1.0  # while a request waits: the beat finds a grant whose message was lost

# Counts while the machine is suspended: a laptop that slept past D must not believe. (macOS: CLOCK_MONOTONIC does.)
_SUSPEND_CLOCK = (
    time.CLOCK_MONOTONIC if sys.platform == "darwin" else getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)


def suspend_clock() -> float:
    """Return seconds on the clock that goes on while the machine sleeps."""
    return time.clock_gettime(_SUSPEND_CLOCK)


def margin(ttl: float) -> float:
    """Return how long before T a holder stops believing: one largest step of the lease clock, and T/20 for drift."""
    return min(2.0, ttl / 5) + ttl / 20


def beat_interval(ttl: float, waiting: bool) -> float:
    """Return seconds between two beats of a session."""
    return min(ttl / 6, BEAT_WAITING if waiting else BEAT)


class Deadline:
    """D of one session. `clock` is the embedded server's sleep-with-us clock or the one that counts suspend."""

    __slots__ = ("_acknowledged", "_margin", "_now", "ttl")

    def __init__(self, ttl: float, clock: Callable[[], float] = suspend_clock) -> None:
        self._now = clock
        self._acknowledged: float | None = None
        self.ttl = ttl
        self._margin = margin(ttl)

    def __repr__(self) -> str:
        return f"<Deadline {self.left():.1f} s left of {self.ttl:g} s>"

    def now(self) -> float:
        """Return the present on this deadline's clock."""
        return self._now()

    def adopt(self, ttl: float) -> None:
        """Use the namespace's T from here on."""
        self.ttl = ttl
        self._margin = margin(ttl)

    def renew(self, sent: float) -> None:
        """Note that a call sent at that moment was acknowledged."""
        if self._acknowledged is None or sent > self._acknowledged:
            self._acknowledged = sent

    def forget(self) -> None:
        """Begin anew: nothing was acknowledged yet."""
        self._acknowledged = None

    @property
    def started(self) -> bool:
        """Whether any call was acknowledged."""
        return self._acknowledged is not None

    def at(self) -> float:
        """Return D on this clock; minus infinity before the first acknowledged call."""
        return float("-inf") if self._acknowledged is None else self._acknowledged + self.ttl - self._margin

    def left(self) -> float:
        """Return seconds until D, 0 when it is past."""
        return max(0.0, self.at() - self._now())

    def past(self, now: float | None = None) -> bool:
        """Return whether D is over, now or at another moment. Before the first acknowledged call there is no D."""
        acknowledged = self._acknowledged
        if acknowledged is None:
            return False
        return (self._now() if now is None else now) >= acknowledged + self.ttl - self._margin
