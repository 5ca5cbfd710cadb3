"""Places: on which processors client and server run. It decides a round trip, so every ratio is given for both."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """A column of the table. None: wherever the system puts them."""

    name: str
    client: int | None = None
    server: int | None = None

    @contextmanager
    def taken(self, server_pid: int) -> Iterator[None]:
        """Run this thread, what it starts, and the server there while the block runs."""
        if sys.platform != "linux" or self.client is None or self.server is None:
            yield
            return
        everywhere = os.sched_getaffinity(0)
        _pin(server_pid, {self.server})
        os.sched_setaffinity(0, {self.client})
        try:
            yield
        finally:
            os.sched_setaffinity(0, everywhere)
            _pin(server_pid, everywhere)


def _pin(pid: int, cores: set[int]) -> None:
    if sys.platform == "linux":
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # a thread that ended meanwhile
                os.sched_setaffinity(int(thread.name), cores)


def places() -> list[Place]:
    """Return the columns that this machine has."""
    if sys.platform != "linux":
        return [Place("not pinned")]
    cores = sorted(os.sched_getaffinity(0))
    one = Place("one core", cores[0], cores[0])
    return [one, Place("two cores", cores[0], cores[1])] if len(cores) > 1 else [one]
