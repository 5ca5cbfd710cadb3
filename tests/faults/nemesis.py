"""Nemesis: the faults, one function each, against a server, a proxy or a worker while others work. And the verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.belief import Belief, over_admitted, tokens_that_fell
from tests.faults.history import outcomes_in, read_beliefs

__all__ = ["grants_after", "repeatedly", "verdict"]


def repeatedly(fault: Callable[[], object], every: float, span: float) -> int:
    """Do something again and again for a while; returns how often."""
    count, until = 0, time.monotonic() + span
    while time.monotonic() < until:
        fault()
        count += 1
        time.sleep(every)
    return count


def verdict(folder: Path, capacities: dict[str, int], *, least: int = 1) -> tuple[list[Belief], Counter[str]]:
    """Check everything that was written down, and return it. `least`: grants without which nothing was tested."""
    beliefs = read_beliefs(folder)
    assert len(beliefs) >= least, f"only {len(beliefs)} grants ({outcomes_in(folder)}): that tests nothing"
    over = over_admitted(beliefs, capacities)
    assert not over, f"{len(over)} times more believers than slots: {over[:3]}"
    # where a limit has several slots, a grant whose reply comes late may have the lower token: it was granted earlier
    fell = tokens_that_fell([belief for belief in beliefs if capacities[belief.limit] == 1])
    assert not fell, f"{len(fell)} tokens did not rise: {fell[:3]}"
    return beliefs, outcomes_in(folder)


def grants_after(folder: Path, moment: float) -> int:
    """Return how many beliefs began after a moment."""
    return sum(1 for belief in read_beliefs(folder) if belief.start > moment)
