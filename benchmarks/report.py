"""Report: medians as tables in Markdown, and under which conditions they were taken."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.measure import Figure

__all__ = ["Results", "conditions", "table"]

PACKAGES = ("redis", "hiredis", "msgpack", "anyio")


class Results:
    """What every round gave, by group, place and figure."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = {}

    def add(self, group: str, place: str, values: Mapping[str, float]) -> None:
        """Note what one round gave."""
        for key, value in values.items():
            self._values.setdefault((group, place, key), []).append(value)

    def of(self, group: str, place: str, key: str) -> list[float]:
        """Return what the rounds gave for one figure."""
        return self._values.get((group, place, key), [])

    def places(self, group: str) -> list[str]:
        """Return the columns that a group has."""
        return list(dict.fromkeys(place for name, place, _ in self._values if name == group))


def table(group: str, figures: Sequence[Figure], results: Results) -> str:
    """Return one group's table: medians, and in brackets the lowest and highest round."""
    columns = results.places(group)
    rows = [_row(["figure", "unit", "aim", *columns, "bound by"]), _row(["---"] * (4 + len(columns)))]
    for figure in figures:
        values = [_value(results.of(group, place, figure.key)) for place in columns]
        rows.append(_row([figure.what, figure.unit, figure.aim, *values, figure.bound]))
    return f"`python -m benchmarks {group}`\n\n" + "\n".join(rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _value(values: Sequence[float]) -> str:
    middle, low, high = _number(median(values)), _number(min(values)), _number(max(values))
    return f"**{middle}**" if len(values) == 1 else f"**{middle}** ({low}–{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def conditions(rounds: int) -> str:
    """Return machine and versions, and how busy the machine was besides."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} × {_processor()}, {platform.system()}"
        f" {platform.release().partition('-')[0]}; Python {platform.python_version()}, {packages}."
        f" {rounds} rounds, medians, lowest and highest in brackets; load average at the end {load}"
        " (the run itself makes 1 to 2)."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
