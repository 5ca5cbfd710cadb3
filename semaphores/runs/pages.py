"""Pages: runs a page at a time, however many there are: each page looks at a bounded number of them.

A cursor says for each status how many of its newest runs were passed: `QUEUED:50,SUCCESS:10`. Runs that come or go
between two pages shift what follows by as many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from semaphores.errors import UsageError
from semaphores.names import tag_value_limit
from semaphores.runs.views import STATUSES, RunView, run_view
from semaphores.scripts.asking import Asking, number, rows

__all__ = ["RunPage", "page"]

MOST_LOOKED = 2_000  # runs of a status looked at for one page where few match: some 50 ms of the server's time
MOST_ASKED = 200  # rows that the server looks at in one question

_CURSOR = re.compile(r"[A-Z]{1,16}:[0-9]{1,9}(,[A-Z]{1,16}:[0-9]{1,9})*")


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    runs: tuple[RunView, ...]
    following: str | None  # the cursor of the next page; None: these were the last
    looked: int  # runs looked at


@dataclass(slots=True)
class _Column:
    """What was found of one status."""

    found: list[tuple[RunView, int]]  # with its place
    following: int | None  # where to look further; None: there are no others
    looked: int


def page(
    statuses: Sequence[str] = STATUSES,
    *,
    job: str | None = None,
    tag: tuple[str, str] | None = None,
    after: str | None = None,
    count: int = 50,
) -> Asking[RunPage]:
    """Return runs of these statuses, the newest first, from a cursor on. Raises UsageError for a cursor of nobody's.

    A page may be short, or empty, and have a `following`: where few runs match, it stops after looking at 2,000.
    """
    passed = _passed(after)
    limit = tag_value_limit(*tag) if tag else tag_value_limit("job", job) if job else None
    columns: dict[str, _Column] = {}
    for status in statuses:
        if after is None or status in passed:
            columns[status] = yield from _column(status, passed.get(status, 0), limit, job, count)
    every = [(run, status, place) for status, column in columns.items() for run, place in column.found]
    every.sort(key=lambda one: (-_moment(one[0]).timestamp(), one[1], one[2]))
    taken = {(status, place) for _, status, place in every[:count]}
    left: list[str] = []
    for status, column in columns.items():
        rest = [place for _, place in column.found if (status, place) not in taken]
        following = min(rest) if rest else column.following
        if following is not None:
            left.append(f"{status}:{following}")
    looked = sum(column.looked for column in columns.values())
    return RunPage(tuple(run for run, _, _ in every[:count]), ",".join(left) or None, looked)


def _column(status: str, offset: int, limit: str | None, job: str | None, count: int) -> Asking[_Column]:
    column = _Column([], offset, 0)
    while column.following is not None and len(column.found) < count and column.looked < MOST_LOOKED:
        at = column.following
        asked = min(count - len(column.found), MOST_ASKED)
        reply = yield {"ask": "runs", "status": status, "offset": at or None, "count": asked, "tag": limit}
        for row in rows(reply):
            run = run_view(row)
            if job is None or run.job == job:
                column.found.append((run, int(number(row, "at") or 0)))
        following = number(reply, "next")
        column.looked += (int(following) if following is not None else at + len(rows(reply))) - at
        column.following = int(following) if following is not None else None
    return column


def _passed(cursor: str | None) -> dict[str, int]:
    if cursor is None:
        return {}
    if not _CURSOR.fullmatch(cursor):
        raise UsageError(f"{cursor[:60]!r} is no place in the list of runs: begin at its first page")
    parts = (part.partition(":") for part in cursor.split(","))
    return {status: int(place) for status, _, place in parts if status in STATUSES}


def _moment(run: RunView) -> datetime:
    found = run.ended or run.started or run.granted or run.submitted
    return found if found is not None else datetime.fromtimestamp(0).astimezone()
