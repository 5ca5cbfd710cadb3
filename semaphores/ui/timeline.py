"""Time line: what a run's ops did when, from its log: who waited for which limit, who ran, and how each ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from semaphores.runs import LogEntry, RunView

__all__ = ["Bar", "Row", "TimeLine", "time_line"]

EVENTS = ("WAITING", "STARTED", "SUCCESS", "FAILURE", "RETRY", "SKIPPED", "CANCELED")
_OPEN = {"WAITING": "waiting", "STARTED": "running"}
_ENDS = ("SUCCESS", "FAILURE", "SKIPPED", "CANCELED")
WIDTH = 1000.0
_WAITS = "waits for "


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a row. `left` and `width` of 1000."""

    kind: str  # queued, starting, waiting, running
    left: float
    width: float
    text: str  # all of it in words


@dataclass(slots=True)
class Row:
    """One op, or the run itself."""

    name: str
    status: str
    bars: list[Bar] = field(default_factory=list)
    waited: float = 0.0  # seconds
    ran: float = 0.0
    limits: list[str] = field(default_factory=list)  # that it waited for
    text: str = ""  # what went wrong


@dataclass(frozen=True, slots=True)
class TimeLine:
    """All rows, from `begun` over `span` seconds."""

    rows: Sequence[Row]
    begun: datetime
    span: float


@dataclass(slots=True)
class _Stretch:
    kind: str
    begun: datetime
    limit: str


def time_line(run: RunView, log: Iterable[LogEntry], now: datetime | None = None) -> TimeLine | None:
    """Return the time line of a run; None before anything is known of it."""
    now = now or datetime.now(UTC)
    events = [line for line in log if line.op and line.kind in EVENTS]
    known = [at for at in (run.submitted, events[0].at if events else None) if at is not None]
    if not known:
        return None
    begun = min(known)  # a run that was retried has lines from before
    end = max(run.ended or now, begun)
    if events:
        end = max(end, events[-1].at)
    span = max((end - begun).total_seconds(), 0.001)
    rows = {"": _run_row(run, begun, end, span)}
    stretches: dict[str, _Stretch] = {}
    for event in events:
        row = rows.setdefault(event.op or "", Row(event.op or "", event.kind))
        _close(row, stretches.pop(row.name, None), event.at, begun, span)
        row.status = event.kind
        row.text = event.text if event.kind in (*_ENDS, "RETRY") else row.text
        if event.kind in _OPEN:
            limit = event.text.removeprefix(_WAITS) if event.text.startswith(_WAITS) else ""
            stretches[row.name] = _Stretch(_OPEN[event.kind], event.at, limit)
    for name, stretch in stretches.items():
        _close(rows[name], stretch, end, begun, span)
        if run.finished:  # its worker died, and could not say so
            rows[name].status = "CANCELED"
    return TimeLine(list(rows.values()), begun, span)


def _run_row(run: RunView, begun: datetime, end: datetime, span: float) -> Row:
    row = Row("", run.status)
    points = [("queued", run.submitted), ("starting", run.granted), ("running", run.started)]
    known = [(kind, at) for kind, at in points if at is not None]
    for at, (kind, moment) in enumerate(known):
        until = known[at + 1][1] if at + 1 < len(known) else end
        _close(row, _Stretch(kind, moment, ""), until, begun, span)
    return row


def _close(row: Row, stretch: _Stretch | None, until: datetime, begun: datetime, span: float) -> None:
    if stretch is None:
        return
    seconds = max(0.0, (until - stretch.begun).total_seconds())
    left = min(WIDTH - 2, WIDTH * max(0.0, (stretch.begun - begun).total_seconds()) / span)
    width = min(WIDTH - left, max(2.0, WIDTH * seconds / span))
    if stretch.kind == "running":
        row.ran += seconds
    elif stretch.kind in ("waiting", "queued"):
        row.waited += seconds
    if stretch.limit and stretch.limit not in row.limits:
        row.limits.append(stretch.limit)
    what = f"{stretch.kind} for {stretch.limit}" if stretch.limit else stretch.kind
    row.bars.append(Bar(stretch.kind, round(left, 2), round(width, 2), f"{what}, {seconds:.1f} s"))
