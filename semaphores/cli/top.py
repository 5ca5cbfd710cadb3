"""`semaphores top`: limits, runs in progress, workers and sessions, live, sorted and filtered by keys."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from semaphores.cli.live.state import VIEWS, State, pressed
from semaphores.cli.render import console
from semaphores.cli.target import open_client
from semaphores.cli.tree import Verb, single
from semaphores.cli.words import nearest
from semaphores.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from semaphores.cli.live.watcher import Watcher

app = single()

REDRAW = 0.2  # seconds: how long a new size, a signal or news may go unseen
LEAVE = (signal.SIGTERM, signal.SIGHUP)


def _views(incomplete: str) -> list[str]:
    return [view for view in VIEWS if view.startswith(incomplete)]


@app.command("top", cls=Verb)
def top(
    ctx: typer.Context,
    view: Annotated[
        str, typer.Option(metavar="VIEW", help=f"Begin with this: {', '.join(VIEWS)}.", autocompletion=_views)
    ] = VIEWS[0],
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.1, max=3600, help="Between two looks at the server.")
    ] = 1.0,
) -> int:
    """Show what is busy, live: 1 to 4 or Tab switch the view, s sorts by the next column, r turns it round.

    / filters by words, p pauses, arrows scroll, q ends. Into a pipe: 'status --watch', with --json for programs.
    """
    if view not in VIEWS:
        meant = nearest(view, VIEWS)
        raise UsageError(f"{view!r} is no view: {', '.join(VIEWS)}{f'; did you mean {meant}?' if meant else ''}")
    screen = console()
    if not sys.stdout.isatty() or not sys.stdin.isatty() or screen.is_dumb_terminal:
        raise UsageError("top needs a terminal; 'semaphores status --watch' prints lines, with --json for programs")
    from semaphores.cli.live.watcher import Watcher

    with open_client(ctx) as client:
        client.namespace()  # a server that is away is told of here
        watcher = Watcher(client, view, every)
        try:
            return _until_left(screen, watcher, State(view), client.connections.namespace)
        finally:
            watcher.leave()


def _until_left(screen: Console, watcher: Watcher, state: State, name: str) -> int:
    """Show it until it is left; in between it may be stopped with Ctrl-Z and come back."""
    with _signals() as came:
        while True:
            state = _show(screen, watcher, state, name, came)
            if signal.SIGTSTP not in came:
                return 128 + came[0] if came else 0
            came.clear()
            signal.raise_signal(signal.SIGSTOP)  # the terminal is as it was; what follows is after SIGCONT


def _show(screen: Console, watcher: Watcher, state: State, name: str, came: list[int]) -> State:
    from rich.live import Live

    from semaphores.cli.live.keyboard import next_keys, single_keys
    from semaphores.cli.live.rows import columns_of
    from semaphores.cli.live.screen import draw, room_in, rows_of

    seen = drawn = None
    with single_keys() as terminal, Live(console=screen, auto_refresh=False, screen=True) as live:
        while not state.over and not came:
            if not state.paused or seen is None or seen.view != state.view:
                seen = watcher.seen
            look = (state, seen, screen.size)
            if look != drawn:
                live.update(draw(name, state, seen, screen.size), refresh=True)
                drawn = look
            keys = next_keys(terminal, REDRAW)
            if keys is None:
                break
            for key in keys:
                columns, rows = len(columns_of(state.view)), len(rows_of(state, seen))
                state = pressed(state, key, columns=columns, rows=rows, room=room_in(screen.height))
            watcher.want(state.view)
    return state


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Give a list that gets the signals which would end or stop us with the terminal in disorder."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (*LEAVE, signal.SIGTSTP)}
    try:
        yield came
    finally:
        for number, old in before.items():
            signal.signal(number, old)
