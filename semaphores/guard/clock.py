"""The clock that deadlines are told on: it counts suspend, and is the same for all processes of a host."""

from __future__ import annotations

import sys
import time

__all__ = ["now"]

# On macOS CLOCK_MONOTONIC counts sleep (time.monotonic there does not); on Linux only CLOCK_BOOTTIME does.
_CLOCK: int = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


def now() -> float:
    """Return the seconds since the host started, suspend included."""
    return time.clock_gettime(_CLOCK)
