"""Meter: how far long work is, on stderr: a bar on a terminal, a line now and then elsewhere, nothing when quick."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from semaphores.cli.words import printable

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Meter"]

QUIET = 1.0  # seconds; what takes no longer needs no bar
LINES = 5.0  # seconds between two lines, where nobody looks all the time


class Meter:
    """Tells how far something is. `quiet`: seconds in which it says nothing yet; `lines`: between two plain lines."""

    def __init__(self, what: str, *, quiet: float = QUIET, lines: float = LINES) -> None:
        self._what, self._lines = what, lines
        self._due = time.monotonic() + quiet
        self._bar: Progress | None = None
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, done: int, total: int, more: str = "") -> None:
        """Say that `done` of `total` are done, and `more` about it: on a terminal at once, else when it is due."""
        if time.monotonic() < self._due:
            return
        if sys.stderr.isatty():
            self._draw(done, total, printable(more))
            return
        said = f"{self._what}: {done} of {total}{f', {printable(more)}' if more else ''}"
        if said != self._said:
            self._said, self._due = said, time.monotonic() + self._lines
            print(f"{time.strftime('%H:%M:%S')}  {said}", file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, more: str) -> None:
        bar = self._bar
        if bar is None:
            bar = self._bar = _bar()
            bar.add_task(self._what, total=total, more=more)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=total, more=more)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(
        *words, TextColumn("{task.fields[more]}", markup=False), console=Console(stderr=True), transient=True
    )
