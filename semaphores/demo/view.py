"""View: what is seen while the demo runs: a live table on a terminal, plain lines elsewhere, nothing beside JSON.

It shows `client.status()`, the same source as `semaphores status`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from semaphores.client import Client
from semaphores.status import LimitStatus
from semaphores.wording import seconds

__all__ = ["LiveView", "PlainView", "SilentView", "View", "view_for"]

REFRESH = 0.2  # seconds between two pictures on a terminal
LINE = 1.0  # seconds between two plain lines
BAR = 24  # characters


class View(Protocol):
    """What the demo tells while it runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Tell that something happened."""

    def begin(self, title: str, total: int) -> None:
        """Begin a phase of so many files; 0: there is no end to them."""

    def show(self, done: int) -> None:
        """Show where things are, not more often than anybody can see."""


class SilentView:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Tell nobody."""

    def begin(self, title: str, total: int) -> None:
        """Tell nobody."""

    def show(self, done: int) -> None:
        """Show nobody."""


class PlainView(SilentView):
    """A line a second, and one for whatever happens."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client, self._console = client, console
        self._total, self._next, self._started = 0, 0.0, time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(f"{time.monotonic() - self._started:5.1f} s  {text}", highlight=False, soft_wrap=True)

    def begin(self, title: str, total: int) -> None:
        """Print the title."""
        self._total, self._next = total, time.monotonic() + LINE
        self.say(title)

    def show(self, done: int) -> None:
        """Print a line when one is due."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LINE
        self.say(", ".join([_files(done, self._total), *map(_line, _limited(self._client))]))


class LiveView(SilentView):
    """One picture, drawn again several times a second, below the lines that tell what happened."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client, self._console = client, console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._title, self._total, self._next, self._started = "", 0, 0.0, time.monotonic()

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the picture."""
        elapsed = time.monotonic() - self._started
        self._console.print(Text.assemble((f"{elapsed:5.1f} s  ", "dim"), text), soft_wrap=True)

    def begin(self, title: str, total: int) -> None:
        """Give the picture a new title."""
        self._title, self._total, self._next = title, total, 0.0
        self.say(title)

    def show(self, done: int) -> None:
        """Draw the picture anew when it is due."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REFRESH
            self._live.update(self._picture(done, _limited(self._client)), refresh=True)

    def _picture(self, done: int, limits: Sequence[LimitStatus]) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("limit", "slots held", "", "waiting", "oldest wait"):
            table.add_column(column)
        for limit in limits:
            oldest = seconds(limit.oldest_wait) if limit.oldest_wait is not None else ""
            waiting = str(limit.waiting) if limit.waiting else ""
            table.add_row(limit.name, f"{limit.used} of {limit.capacity}", _bar(limit), waiting, oldest)
        share = f" {_blocks(done, self._total, BAR * 2)}" if self._total else ""
        return Group(table, Text(f"{_files(done, self._total)}{share}"))


def view_for(client: Client, console: Console, *, silent: bool) -> View:
    """Return the view that fits where the output goes."""
    if silent:
        return SilentView()
    drawable = console.is_terminal and not console.is_dumb_terminal
    return LiveView(client, console) if drawable else PlainView(client, console)


def _limited(client: Client) -> list[LimitStatus]:
    return [limit for limit in client.status() if limit.capacity is not None]


def _files(done: int, total: int) -> str:
    return f"{done} of {total} files" if total else f"{done} files"


def _line(limit: LimitStatus) -> str:
    waiting = f" ({limit.waiting} waiting)" if limit.waiting else ""
    return f"{limit.name} {limit.used} of {limit.capacity}{waiting}"


def _bar(limit: LimitStatus) -> Text:
    capacity = limit.capacity or 0
    if capacity > BAR:
        return Text(_blocks(limit.used, capacity, BAR))
    return Text("■ " * min(limit.used, capacity) + "□ " * max(0, capacity - limit.used), "green")


def _blocks(part: int, whole: int, width: int) -> str:
    filled = min(width, part * width // max(1, whole))
    return "━" * filled + "╌" * (width - filled)
