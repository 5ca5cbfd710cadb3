"""`semaphores status`: every limit and how many runs there are, once or live."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from semaphores.cli.render import console, json_text, line, show, table, text_rows
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, single
from semaphores.cli.words import printable
from semaphores.client import Client
from semaphores.errors import ServerError
from semaphores.runs import RunView
from semaphores.runs.views import IN_PROGRESS
from semaphores.status import LimitStatus, NamespaceView
from semaphores.wording import seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

app = single()

REDRAW = 0.5  # seconds
_RUNS = "\n"  # no limit is called so
_AROUND_RUNS = 4  # lines: a blank one, the header, '… and more', and the cursor's
NO_LIMITS = "no limits yet: 'semaphores pool set NAME N' makes one"


@dataclass(frozen=True, slots=True)
class Status:
    """What `status --json` prints."""

    name: str  # of the namespace
    namespace: NamespaceView
    limits: tuple[LimitStatus, ...]
    runs: Mapping[str, int]  # how many by status, all statuses

    def runs_line(self) -> str:
        """Return how many runs there are of each status; empty when there are none."""
        counts = [f"{count} {status}" for status, count in self.runs.items() if count]
        return f"runs: {', '.join(counts)}" if counts else ""

    def shown(self, *, every: bool) -> tuple[LimitStatus, ...]:
        """Return the limits worth a line: not each tag that runs happen to have, but `every` one where asked for."""
        return self.limits if every else tuple(limit for limit in self.limits if _matters(limit))

    @property
    def in_progress(self) -> int:
        """How many runs hold slots."""
        return sum(self.runs[status] for status in IN_PROGRESS)

    def headline(self) -> str:
        """Return the namespace on one line."""
        view = self.namespace
        if not view.exists:
            return f"namespace {self.name}: nothing here yet; 'semaphores init' makes it without a grace"
        sessions = "1 session" if view.sessions == 1 else f"{view.sessions} sessions"
        grace = (
            f", GRACE: nothing is granted for another {seconds(view.grace)}, holders may still come back"
            if view.grace is not None
            else ""
        )
        broken = f", {view.broken} broken entries: see 'semaphores doctor'" if view.broken else ""
        return f"namespace {self.name}: {sessions}, ttl {view.ttl:g} s{grace}{broken}"


def _matters(limit: LimitStatus) -> bool:
    """Whether it limits or was set; a pool that nobody limited should be seen."""
    return limit.capacity is not None or limit.origin is not None or limit.kind == "pool"


@app.command("status", cls=Verb)
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Live, until Ctrl-C; plain lines into a pipe.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also tags in use that nothing limits; JSON has them.")] = False,
    json: Json = False,
) -> None:
    """Show every limit: used of its capacity, who waits and for how long, and where the capacity comes from."""
    with open_client(ctx) as client:
        if not watch:
            _once(_read(client), as_json=json, every=every)
        elif json:
            for found in _reads(client):
                if isinstance(found, Status):
                    print(json_text(found, one_line=True), flush=True)
        elif sys.stdout.isatty():
            _live(client, every=every)
        else:
            _lines(client, every=every)


def _read(client: Client) -> Status:
    return Status(client.connections.namespace, client.namespace(), client.status(), client.runs.counts())


def _reads(client: Client) -> Iterator[Status | ServerError]:
    """Read again and again; a server that is away for a while ends nothing."""
    while True:
        try:
            found: Status | ServerError = _read(client)
        except ServerError as error:
            found = error
            print(f"error: {printable(str(error))}", file=sys.stderr, flush=True)
        yield found
        time.sleep(REDRAW)


def _once(found: Status, *, as_json: bool, every: bool) -> None:
    if as_json:
        print(json_text(found))
        return
    line(found.headline())
    if found.runs_line():
        line(found.runs_line())
    if found.namespace.exists or found.limits:
        show(found.shown(every=every), as_json=False, empty=NO_LIMITS)


def _lines(client: Client, *, every: bool) -> None:
    """Print whatever changed, one line a limit, behind the time."""
    before: dict[str, str] = {}
    for found in _reads(client):
        if isinstance(found, Status):
            limits = found.shown(every=every)
            header, *rows = text_rows(limits) if limits else [NO_LIMITS]
            now = {limit.limit: row for limit, row in zip(limits, rows, strict=True)}
            now[_RUNS] = found.runs_line()
            for name, row in {"": header, **now}.items():
                if before.get(name, "") != row and (name or not before):
                    print(f"{time.strftime('%H:%M:%S')}  {row}", flush=True)
            before = {"": header, **now}


def _live(client: Client, *, every: bool) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    screen = console()
    with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
        for found in _reads(client):
            if isinstance(found, Status):
                lines = [text for text in (found.headline(), found.runs_line()) if text]
                shown: list[RenderableType] = [*(Text(printable(text), style="dim") for text in lines), Text("")]
                limits = found.shown(every=every)
                shown.append(table(limits, _style) if limits else Text(NO_LIMITS))
                room = screen.height - len(lines) - 1 - (len(limits) + 1) - _AROUND_RUNS
                if found.in_progress and room > 0:
                    shown += [Text(""), *_runs(client, room)]
                live.update(Group(*shown), refresh=True)


def _runs(client: Client, room: int) -> Iterator[RenderableType]:
    """Give the runs in progress, in so many lines: the longest running first."""
    from rich.text import Text

    runs: list[RunView] = []
    try:
        for status in IN_PROGRESS:
            runs += client.runs.list(status, most=room + 1)
    except ServerError:
        return
    if runs:
        runs.sort(key=lambda run: (run.granted is None, run.granted))
        yield table(runs[:room])
        if len(runs) > room:
            yield Text("… and more: 'semaphores run list --status STARTED'", style="dim")


def _style(limit: object) -> str:
    if not isinstance(limit, LimitStatus) or limit.is_rule:
        return "dim"
    if limit.paused:
        return "yellow"
    return "red" if limit.waiting else "green" if limit.used else ""
