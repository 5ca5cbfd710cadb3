"""History: what holders wrote down while they worked, read back as beliefs.

A file per process, appended with one write a line, so that a SIGKILL loses nothing:
`granted ID LIMIT SLOTS TOKEN TIME`, `believes ID TIME` each time that the lease was not lost, `outcome WORD TIME`.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.faults.belief import Belief

__all__ = ["Diary", "outcomes_in", "read_beliefs"]


class Diary:
    """Writes one process's history."""

    def __init__(self, folder: Path) -> None:
        self._name = str(os.getpid())
        self._file = os.open(folder / f"{self._name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._count = 0

    def granted(self, limit: str, slots: int, token: int, moment: float) -> str:
        """Note a grant as it was received; returns the id of the belief."""
        self._count += 1
        entry = f"{self._name}-{self._count}"
        self._write(f"granted {entry} {limit} {slots} {token} {moment!r}")
        return entry

    def believes(self, entry: str, moment: float) -> None:
        """Note that the holder was told, after that moment, that it still holds."""
        self._write(f"believes {entry} {moment!r}")

    def outcome(self, word: str) -> None:
        """Note how one acquire ended."""
        self._write(f"outcome {word} {time.monotonic()!r}")

    def _write(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


def _lines(folder: Path) -> list[list[str]]:
    lines: list[list[str]] = []
    for file in sorted(folder.glob("*.log")):
        text = file.read_text()
        lines += [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
    return lines


def read_beliefs(folder: Path) -> list[Belief]:
    """Return every belief of every process."""
    found: dict[str, Belief] = {}
    for word, *rest in _lines(folder):
        if word == "granted":
            entry, limit, slots, token, moment = rest
            found[entry] = Belief(limit, int(slots), int(token), entry, float(moment), float(moment))
        elif word == "believes":
            found[rest[0]] = replace(found[rest[0]], end=max(found[rest[0]].end, float(rest[1])))
    return list(found.values())


def outcomes_in(folder: Path) -> Counter[str]:
    """Return how acquires ended: `done`, `lost`, `timeout`, `unavailable`, or the name of another error."""
    return Counter(rest[0] for word, *rest in _lines(folder) if word == "outcome")
