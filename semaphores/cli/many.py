"""Many: the runs that a filter names: which they are, waiting until all of them are over, canceling all of them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import typer

from semaphores.cli.meter import Meter
from semaphores.cli.render import line
from semaphores.cli.words import nearest, printable, tags_of
from semaphores.client import Client
from semaphores.errors import NotFound, Refused, ServerError, UsageError
from semaphores.runs import RunView
from semaphores.runs.views import FINISHED, IN_PROGRESS, STATUSES

__all__ = ["Filter", "cancel_all", "filter_of", "newest", "status_of", "wait_for_all"]

ASK_EVERY = 0.5  # seconds between two looks, and no less than REST times what a look took
REST = 4
EVERY_ONE = 1_000_000  # runs
CONFIRMED = ("QUEUED", "STARTING", "STARTED")  # queued ones first: else they would start as the others end


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are meant."""

    status: str | None
    job: str | None
    tag: tuple[str, str] | None

    @property
    def everything(self) -> bool:
        """Whether it leaves out nothing."""
        return self.status is None and self.job is None and self.tag is None

    def __str__(self) -> str:
        words = [self.status or "", f"of job {self.job!r}" if self.job else ""]
        words.append(f"with {'='.join(self.tag)}" if self.tag else "")
        return printable(" ".join(word for word in words if word))

    def runs(self, client: Client, statuses: Iterable[str] = STATUSES, most: int = EVERY_ONE) -> list[RunView]:
        """Return those of these statuses, status by status, the newest first."""
        wanted = [status for status in statuses if self.status in (None, status)]
        return [run for one in wanted for run in client.runs.list(one, job=self.job, tag=self.tag, most=most)]


def filter_of(status: str | None, job: str | None, tag: str | None) -> Filter:
    """Return a filter as a person writes it. Raises UsageError."""
    tags = list(tags_of([tag] if tag is not None else []).items())
    return Filter(status_of(status) if status is not None else None, job, tags[0] if tags else None)


def status_of(text: str) -> str:
    """Return a status in whichever case it is written. Raises UsageError."""
    wanted = text.upper()
    if wanted not in STATUSES:
        meant = nearest(wanted, STATUSES)
        hint = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"{text!r} is no status of a run: {', '.join(STATUSES)}{hint}")
    return wanted


def newest(runs: Iterable[RunView]) -> list[RunView]:
    """Return runs by when they were submitted, the latest first."""
    return sorted(runs, key=lambda run: (run.submitted is not None, run.submitted), reverse=True)


def wait_for_all(client: Client, wanted: Filter) -> list[RunView]:
    """Wait until no such run is queued or in progress, telling how far it is; return those that were waited for.

    Runs that come meanwhile are waited for too. A server that is away for a while ends nothing.
    """
    if wanted.status in FINISHED:
        raise UsageError(f"runs that are {wanted.status} are over: there is nothing to wait for")
    seen: dict[str, RunView] = {}
    with Meter("runs that are over", quiet=0.0, lines=1.0) as meter:
        while True:
            start = time.monotonic()
            try:
                left = wanted.runs(client, ("QUEUED", *IN_PROGRESS))
            except ServerError as error:
                print(f"error: {printable(str(error))}", file=sys.stderr, flush=True)
                time.sleep(ASK_EVERY)
                continue
            seen |= {run.id: run for run in left}
            if not left:
                return _ended(client, wanted, seen)
            meter.tell(len(seen) - len(left), len(seen), _counted(left))
            time.sleep(max(ASK_EVERY, REST * (time.monotonic() - start)))


def _ended(client: Client, wanted: Filter, seen: dict[str, RunView]) -> list[RunView]:
    """What became of runs; one that is not kept any more is as it was seen last."""
    late = Filter(None, wanted.job, wanted.tag).runs(client, STATUSES, most=max(1000, 2 * len(seen)))
    found = {run.id: run for run in late}
    return [found.get(name, run) for name, run in seen.items()]


def cancel_all(client: Client, wanted: Filter, *, sure: bool) -> int:
    """Cancel all runs of a filter that are not over, after asking; return how many."""
    if wanted.status in FINISHED:
        raise UsageError(f"runs that are {wanted.status} are over: there is nothing to cancel")
    runs = wanted.runs(client, (*CONFIRMED, *([wanted.status] if wanted.status == "CANCELING" else [])))
    if not runs:
        line(f"no run {wanted}".rstrip() + " is queued or in progress")
        return 0
    if not sure:
        _confirm(f"cancel {_counted(runs)}")
    became: Counter[str] = Counter()
    with Meter("runs canceled") as meter:
        for number, run in enumerate(runs, 1):
            try:
                became[client.runs.cancel(run.id)] += 1
            except (Refused, NotFound):
                became["over"] += 1  # meanwhile
            meter.tell(number, len(runs))
    told = ("canceled", "are canceled"), ("canceling", "are told to end"), ("over", "were over before")
    line("runs: " + ", ".join(f"{became[what]} {words}" for what, words in told if became[what]))
    return became["canceled"] + became["canceling"]


def _confirm(what: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}: say --yes if it should, as there is nobody to ask")
    if not typer.confirm(f"{what}?", err=True):
        raise Refused("nothing was canceled")


def _counted(runs: Sequence[RunView]) -> str:
    counts = Counter(run.status for run in runs)
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
