"""Belief: at no instant do more slots of a limit have somebody who believes to hold them than the limit has.

Pure: intervals in, findings out. A belief runs from the receipt of a grant to the last moment at which its holder was
told that it still holds, or handed the release over: what the server thinks does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Belief", "over_admitted", "tokens_that_fell"]


@dataclass(frozen=True, slots=True)
class Belief:
    """One holder's belief, in seconds on CLOCK_MONOTONIC, which all processes of a host share."""

    limit: str
    slots: int
    token: int
    holder: str
    start: float
    end: float


def over_admitted(beliefs: Iterable[Belief], capacities: Mapping[str, int]) -> list[str]:
    """Return each moment from which on more was believed than the limit had, with who believed."""
    found = []
    events: list[tuple[float, int, Belief]] = []
    for belief in beliefs:
        if belief.end > belief.start:
            events += [(belief.start, 1, belief), (belief.end, 0, belief)]
    events.sort(key=lambda event: event[:2])  # at the same instant, leaving comes first
    inside: dict[str, list[Belief]] = {}
    for moment, begins, belief in events:
        now = inside.setdefault(belief.limit, [])
        if not begins:
            now.remove(belief)
            continue
        now.append(belief)
        used = sum(one.slots for one in now)
        if used > capacities[belief.limit]:
            overlap = min(one.end for one in now) - moment
            who = ", ".join(f"{one.holder} (token {one.token})" for one in now)
            much = f"{used} of {capacities[belief.limit]}"
            found.append(f"{belief.limit}: {much} at {moment:.3f} for {overlap * 1000:.1f} ms: {who}")
    return found


def tokens_that_fell(beliefs: Iterable[Belief]) -> list[str]:
    """Return each belief whose token is not above that of every belief of its limit that had ended when it began."""
    found = []
    by_limit: dict[str, list[Belief]] = {}
    for belief in beliefs:
        by_limit.setdefault(belief.limit, []).append(belief)
    for limit, all_of_it in by_limit.items():
        ended = sorted(all_of_it, key=lambda belief: belief.end)
        highest, first = 0, 0
        for belief in sorted(all_of_it, key=lambda belief: belief.start):
            while first < len(ended) and ended[first].end < belief.start:
                highest = max(highest, ended[first].token)
                first += 1
            if belief.token <= highest:
                found.append(f"{limit}: token {belief.token} of {belief.holder} after {highest}")
    return found
