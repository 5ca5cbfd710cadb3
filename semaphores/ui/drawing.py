"""Drawing: bars, charts and time lines as numbers for SVG. Pure.

Shapes are attributes of SVG elements and never styles: the page's policy allows no style in its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semaphores.ui.history import POINTS, STEP, Moment

__all__ = ["Chart", "bar", "chart", "spark"]

WIDTH = 120


def bar(used: int, capacity: int | None) -> float:
    """Return how much of a bar of 100 is filled; what is used at all is seen."""
    if not used or capacity is None:
        return 0.0
    return round(max(3.0, min(100.0, 100.0 * used / max(1, capacity))), 1)


@dataclass(frozen=True, slots=True)
class Chart:
    """Paths in a box that is `POINTS` wide; the text says the same in words."""

    used: str  # an area
    waiting: str  # a line
    capacity: str  # a line
    top: int  # what the height of the box stands for, in slots
    text: str


def spark(moments: Sequence[Moment], height: int = 24) -> Chart:
    """Return the small chart of a row."""
    return _chart(moments, height)


def chart(moments: Sequence[Moment], height: int = 100) -> Chart:
    """Return the chart of one limit."""
    return _chart(moments, height)


def _chart(moments: Sequence[Moment], height: int) -> Chart:
    used, waiting = [one.used for one in moments], [one.waiting for one in moments]
    peaks = [value for value in (*used, *waiting) if value is not None]
    capacities = [one.capacity for one in moments]
    highest = max((value for value in capacities if value is not None), default=0)
    peak = max(peaks, default=0)
    top = max(1, peak, highest if highest <= 4 * max(peak, 1) else 0)  # a limit far above its use would flatten all
    known = sum(value is not None for value in used)
    most_used = max((value for value in used if value is not None), default=0)
    most_waiting = max((value for value in waiting if value is not None), default=0)
    minutes = min(60, max(1, known * STEP // 60))
    text = f"last {minutes} min: up to {most_used} used, up to {most_waiting} waiting"
    return Chart(
        _area(used, top, height),
        _line([value or None for value in waiting], top, height),
        _line(capacities, top, height),
        top,
        text if known else "nothing seen yet",
    )


def _area(values: Sequence[int | None], top: int, height: int) -> str:
    """Steps that are filled down to the ground."""
    words: list[str] = []
    for begin, steps in _runs(values):
        if not any(steps):
            continue
        words.append(f"M{begin} {height}")
        words += [f"V{_y(value, top, height)}H{begin + at + 1}" for at, value in enumerate(steps)]
        words.append(f"V{height}Z")
    return "".join(words)


def _line(values: Sequence[int | None], top: int, height: int) -> str:
    words: list[str] = []
    for begin, steps in _runs(values):
        words.append(f"M{begin} {_y(steps[0], top, height)}")
        before = steps[0]
        for at, value in enumerate(steps):
            if value != before:
                words.append(f"H{begin + at}V{_y(value, top, height)}")
                before = value
        words.append(f"H{begin + len(steps)}")
    return "".join(words)


def _runs(values: Sequence[int | None]) -> list[tuple[int, list[int]]]:
    """Return the stretches in which something is known."""
    found: list[tuple[int, list[int]]] = []
    for at, value in enumerate(values[-POINTS:]):
        if value is None:
            continue
        if found and found[-1][0] + len(found[-1][1]) == at:
            found[-1][1].append(value)
        else:
            found.append((at, [value]))
    return found


def _y(value: int, top: int, height: int) -> str:
    return f"{height - (height - 2) * min(value, top) / top:.1f}".removesuffix(".0")
