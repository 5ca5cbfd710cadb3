"""Rows: the views of a live table, filtered and sorted by what their columns say. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from semaphores.cli.columns import COLUMNS, Column
from semaphores.cli.live.state import Order
from semaphores.cli.run_columns import RUN_COLUMNS
from semaphores.cli.words import printable
from semaphores.runs import RunView, WorkerView
from semaphores.status import LimitStatus, SessionView

__all__ = ["TYPES", "chosen", "columns_of", "ordered"]

TYPES: Mapping[str, type] = {"limits": LimitStatus, "runs": RunView, "workers": WorkerView, "sessions": SessionView}
_ALWAYS = ("RUN", "JOB", "STATUS", "QUEUE", "ATTEMPT", "STARTED", "WORKER", "TAGS", "PRIORITY")  # of runs in progress

# What a column's text stands for, where sorting the text would put 10 before 9.
_VALUES: Mapping[tuple[str, str], Callable[[Any], object]] = {
    ("limits", "USED"): lambda limit: (_share(limit), limit.used),
    ("limits", "WAITING"): lambda limit: (limit.waiting, _share(limit), limit.used),
    ("limits", "OLDEST WAIT"): lambda limit: limit.oldest_wait or 0.0,
    ("runs", "PRIORITY"): lambda run: run.priority,
    ("runs", "ATTEMPT"): lambda run: run.attempt,
    ("runs", "STARTED"): lambda run: (run.started is None, run.started),
    ("workers", "SEATS"): lambda worker: worker.concurrency,
    ("workers", "RUNS"): lambda worker: len(worker.runs),
    ("workers", "CPU"): lambda worker: worker.cpu or 0.0,
    ("workers", "MEMORY"): lambda worker: worker.memory or 0.0,
    ("workers", "LAST BEAT"): lambda worker: worker.session.heartbeat_age or 0.0,
    ("sessions", "LEASES"): lambda session: session.leases,
    ("sessions", "WAITING"): lambda session: session.waiting,
    ("sessions", "LAST BEAT"): lambda session: session.heartbeat_age or 0.0,
}


def columns_of(view: str) -> list[Column]:
    """Return the columns of a view: always the same ones, so that the sorted one stays where it is."""
    kind = TYPES[view]
    columns = COLUMNS.get(kind) or RUN_COLUMNS[kind]
    return [column for column in columns if view != "runs" or column.title in _ALWAYS]


def chosen(view: str, found: Sequence[object], words: str) -> list[object]:
    """Return the rows in which every word of the filter stands, in whichever column."""
    wanted = words.casefold().split()
    columns = columns_of(view)

    def text(row: object) -> str:
        return " ".join(column.cell(row) for column in columns).casefold()

    return [row for row in found if not wanted or all(word in text(row) for word in wanted)]


def ordered(view: str, found: Sequence[object], order: Order) -> list[object]:
    """Return the rows by one column, those that are alike there by their first one."""
    columns = columns_of(view)
    column = columns[min(order.column, len(columns) - 1)]
    value = _VALUES.get((view, column.title)) or (lambda row: _natural(column.cell(row)))
    by_name = sorted(found, key=lambda row: _natural(columns[0].cell(row)))
    return sorted(by_name, key=value, reverse=order.reverse)  # type: ignore[arg-type]


def _natural(text: str) -> list[tuple[int, str]]:
    """`worker-9` before `worker-10`."""
    parts = re.split(r"([0-9]{1,18})", printable(text).casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _share(limit: LimitStatus) -> float:
    """How full a limit is; a rule is never held itself."""
    if limit.is_rule:
        return -1.0
    return limit.used / limit.capacity if limit.capacity else 0.0
