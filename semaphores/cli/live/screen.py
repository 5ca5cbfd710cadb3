"""Screen: one look at a namespace, as a screenful. Asks nobody; who draws it brings what was seen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from semaphores.cli.columns import Column
from semaphores.cli.live.rows import chosen, columns_of, ordered
from semaphores.cli.live.state import VIEWS, State
from semaphores.cli.live.watcher import Seen
from semaphores.cli.status import NO_LIMITS, Status, limit_style
from semaphores.cli.words import printable
from semaphores.runs import RunView, WorkerView

__all__ = ["KEYS", "draw", "rows_of"]

KEYS = "1-4 view  s/S sort  r reverse  / filter  p pause  ↑↓ scroll  q quit"
EMPTY = {
    "limits": NO_LIMITS,
    "runs": "no run is in progress: 'semaphores run list' shows all of them",
    "workers": "no worker is alive: 'semaphores worker MODULE' starts one",
    "sessions": "no process holds or waits for anything",
}
ELASTIC = ("DESCRIPTION", "TAGS", "PROGRAM", "RUNS", "SESSION")  # these are cut where a line is too long
NARROW = 90  # columns: a terminal with fewer shows nothing that could be left out
_AROUND = 5  # lines beside the rows: two of the headline, the views, the table's header, the keys


def rows_of(state: State, seen: Seen) -> list[object]:
    """Return the rows that the view has now, in their order."""
    found = seen.rows if seen.view == state.view else ()
    return ordered(state.view, chosen(state.view, found, state.filter), state.order)


def room_in(height: int) -> int:
    """Return for how many rows a terminal has room."""
    return max(1, height - _AROUND)


def draw(name: str, state: State, seen: Seen, size: tuple[int, int]) -> RenderableType:
    """Return a screenful of so many columns and lines. `name`: of the namespace."""
    rows, room = rows_of(state, seen), room_in(size[1])
    shown = rows[state.top : state.top + room]
    body: RenderableType = _table(state, shown, size[0]) if shown else Text(_nothing(state, seen), style="dim")
    blank = room - len(shown) if shown else room
    return Group(
        *_headline(name, seen), _views(state, len(rows), len(seen.rows)), body, *[Text("")] * blank, _foot(state, seen)
    )


def _headline(name: str, seen: Seen) -> tuple[Text, Text]:
    if seen.namespace is None:
        return _line("…", "dim"), _line("")
    status = Status(name, seen.namespace, (), seen.counts or {})
    return _line(status.headline(), "bold"), _line(status.runs_line() or "no runs", "dim")


def _views(state: State, rows: int, every: int) -> Text:
    line = _line("")
    for number, view in enumerate(VIEWS, 1):
        line.append(f" {number} {view} ", style="reverse" if view == state.view else "dim").append(" ")
    if state.filter:
        line.append(f" {rows} of {every} with {printable(state.filter)!r}", style="cyan")
    if state.paused:
        line.append("  PAUSED", style="bold yellow")
    return line


def _table(state: State, rows: Sequence[object], width: int) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    columns = columns_of(state.view)
    at = min(state.order.column, len(columns) - 1)
    wanted = [column for number, column in enumerate(columns) if number == at or _says(column, rows, width)]
    for column in wanted:
        mark = (" ▼" if state.order.reverse else " ▲") if column is columns[at] else ""
        side = "right" if column.right else "left"
        most = width // 2 if column is columns[0] else None
        fixed = column.title not in ELASTIC
        made.add_column(Text(column.title + mark), justify=side, no_wrap=fixed, max_width=most)  # type: ignore[arg-type]
    for row in rows:
        made.add_row(*(_line(column.cell(row)) for column in wanted), style=_style(row))
    return made


def _says(column: Column, rows: Sequence[object], width: int) -> bool:
    return not column.optional or (width >= NARROW and any(column.cell(row) for row in rows))


def _style(row: object) -> str:
    if isinstance(row, WorkerView):
        return "" if row.session.alive else "red"
    if isinstance(row, RunView):
        return "yellow" if row.status == "CANCELING" else "green" if row.status == "STARTED" else ""
    return limit_style(row) if hasattr(row, "capacity") else ""


def _nothing(state: State, seen: Seen) -> str:
    if seen.view != state.view or (seen.namespace is None and seen.error is None):
        return "reading …"
    return "nothing has that in it; Esc shows everything" if state.filter else EMPTY[state.view]


def _foot(state: State, seen: Seen) -> Text:
    if state.typing:
        return _line(f"filter: {printable(state.filter)}▏  Enter keeps it, Esc drops it", "cyan")
    if seen.error is not None:
        return _line(f"error: {printable(seen.error)}", "bold red")
    return _line(KEYS, "dim")


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")
