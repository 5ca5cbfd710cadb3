"""Render: the one place that turns any view into JSON, or into rows of text. rich is imported when a table is drawn.

JSON has the fields of the view's dataclass under their own names: times are ISO 8601 with zone, spans are seconds, what
is not known is null, bytes are base64. Text is for people and may change; no byte of a name reaches a terminal as a
control character.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from semaphores.cli.columns import COLUMNS, Column
from semaphores.cli.run_columns import RUN_COLUMNS
from semaphores.cli.words import printable
from semaphores.errors import Holder
from semaphores.scripts.stored import moment

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["Plain", "Told", "console", "json_text", "line", "plain", "show", "table", "text_rows"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"

_UNBOUND = 10_000  # columns: output that goes to a file or a pipe is never folded


def plain(value: object) -> Plain:
    """Return a view, or anything made of views, as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Holder):
        return {"lease": value.lease, "name": value.name, "since": moment(value.since).isoformat()}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def json_text(value: object, *, one_line: bool = False) -> str:
    """Return a view, or anything made of views, as JSON text. Pure ASCII, so that no terminal obeys a name in it."""
    return json.dumps(plain(value), indent=None if one_line else 2)


def line(text: str = "") -> None:
    """Print one line, with control characters spelt out."""
    print(printable(text))


def show(views: Sequence[object], *, as_json: bool, empty: str) -> None:
    """Print a list of views: a JSON array, or a table; `empty` is said instead of a table without rows."""
    if as_json:
        print(json_text(views))
    elif not views:
        line(empty)
    elif sys.stdout.isatty():
        console().print(table(views))
    else:
        for row in text_rows(views):
            print(row)


def columns_of(views: Sequence[object]) -> Sequence[Column]:
    """Return the columns of a table of such views; those that no row has anything to say in are left out."""
    columns = COLUMNS.get(type(views[0])) or RUN_COLUMNS[type(views[0])]
    return [column for column in columns if not column.optional or any(column.cell(view) for view in views)]


def text_rows(views: Sequence[object]) -> list[str]:
    """Return a table as aligned plain lines, the header first."""
    columns = columns_of(views)
    rows = [[column.title for column in columns]]
    rows += [[printable(column.cell(view)) for column in columns] for view in views]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in rows
    ]


def table(views: Sequence[object], style_of: Callable[[object], str] = lambda view: "") -> Table:
    """Return a table for a terminal."""
    from rich.table import Table
    from rich.text import Text

    columns = columns_of(views)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for view in views:
        made.add_row(*(Text(printable(column.cell(view))) for column in columns), style=style_of(view))
    return made


def console() -> Console:
    """Return a console on stdout."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _UNBOUND)


@dataclass(frozen=True, slots=True)
class Told:
    """A view and its kind, where several kinds of view may answer one question."""

    kind: str
    view: object

    def json(self) -> str:
        """Return the view's fields behind its kind."""
        told = plain(self.view)
        return json_text({"kind": self.kind, **told} if isinstance(told, dict) else {"kind": self.kind})
