"""Measure: who held what when, by the workers' own clocks (CLOCK_MONOTONIC, one for all processes of a host).

Independent of what is measured: nothing here asks the server. A line is on its way to the disk before the work begins,
so that it outlives a SIGKILL.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Diary", "Held", "Spread", "highest", "read_diaries", "split_by_room", "spread"]


@dataclass(frozen=True, slots=True)
class Held:
    """One slot of a pool, held once. Times in ns."""

    pool: str
    worker: int
    called: int  # it asked
    granted: int  # it went on
    left: int  # its work was done
    released: int  # it had given the slot back


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, so many times. Seconds."""

    count: int
    p50: float
    p99: float


class Diary:
    """Where one worker notes when it held what."""

    def __init__(self, folder: Path, phase: str, worker: int) -> None:
        self._file = os.open(folder / f"{phase}-{worker}.held", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def granted(self, pool: str, called: int) -> None:
        """Note that the slot is held from now on."""
        os.write(self._file, f"+ {pool} {called} {time.monotonic_ns()}\n".encode())

    def released(self, pool: str, left: int) -> None:
        """Note that the slot is held no more, since `left`."""
        os.write(self._file, f"- {pool} {left} {time.monotonic_ns()}\n".encode())


def read_diaries(folder: Path, phase: str, ends: Mapping[int, int]) -> list[Held]:
    """Return all that was held. `ends`: when a worker was killed; until then it held what it had not given back."""
    found: list[Held] = []
    for path in folder.glob(f"{phase}-*.held"):
        worker = int(path.stem.rpartition("-")[2])
        held: dict[str, tuple[int, int]] = {}
        for line in path.read_text().splitlines():
            kind, pool, first, second = line.split()
            if kind == "+":
                held[pool] = (int(first), int(second))
            else:
                found.append(Held(pool, worker, *held.pop(pool), int(first), int(second)))
        end = ends.get(worker, time.monotonic_ns())
        found += [Held(pool, worker, *times, end, end) for pool, times in held.items()]
    return found


def highest(held: Iterable[Held]) -> int:
    """Return how many held at once at most: between going on and being done, as each of them saw it."""
    steps = sorted(step for one in held for step in ((one.granted, 1), (one.left, -1)))
    now = most = 0
    for _, change in steps:
        now += change
        most = max(most, now)
    return most


def split_by_room(held: Sequence[Held], capacity: int) -> tuple[list[float], list[float]]:
    """Return the seconds from call to grant: of those for whom there was room when they asked, and of those who waited.

    There is room when holders and those in line before are fewer than the slots.
    """
    asked, over = sorted(one.called for one in held), sorted(one.released for one in held)
    found: tuple[list[float], list[float]] = ([], [])
    for one in held:
        before = bisect_left(asked, one.called) - bisect_right(over, one.called)
        found[before >= capacity].append((one.granted - one.called) / 1e9)
    return found


def spread(spans: Iterable[float]) -> Spread | None:
    """Return count, median and 99th percentile (nearest rank); None of nothing."""
    ordered = sorted(spans)
    if not ordered:
        return None
    return Spread(len(ordered), ordered[(len(ordered) - 1) // 2], ordered[-(-99 * len(ordered) // 100) - 1])
