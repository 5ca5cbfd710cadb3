"""`semaphores top` in a terminal, and its pure parts."""

from __future__ import annotations

import signal

import pytest

from semaphores import Client
from semaphores.cli.live.keyboard import keys_in
from semaphores.cli.live.rows import columns_of
from semaphores.cli.live.state import VIEWS, Order, State, pressed
from tests.cli.commandline import CommandLine
from tests.cli.terminal import Terminal, in_terminal

MAIN, ALTERNATE = "\x1b[?1049l", "\x1b[?1049h"  # the screen that was there before, and the one of full-screen programs
SHOW_CURSOR = "\x1b[?25h"


def column(screen: list[str], title: str) -> str:
    """Return the mark behind a column's title."""
    header = next(line for line in screen if line.startswith(("LIMIT", "SESSION")))
    return header.partition(title)[2].strip()[:1]


def names(screen: list[str]) -> list[str]:
    return [line.split()[0] for line in screen if line.startswith("pool:")]


def test_it_draws_sorts_filters_switches_and_leaves_the_terminal_as_it_was(cli: CommandLine, client: Client) -> None:
    for name, capacity in (("api", 9), ("database", 2), ("gpu", 4)):
        client.limits.set(f"pool:{name}", capacity)
    with client.pool("database"), client.pool("gpu"), in_terminal(["top", "--every", "0.2"], cli.environment()) as top:
        before = top.settings
        screen = top.until(lambda screen: names(screen) == ["pool:database", "pool:gpu", "pool:api"])
        assert top.settings != before, "keys come one by one and are not shown"
        assert screen[0].startswith(f"namespace {client.connections.namespace}: 1 session")
        assert column(screen, "WAITING") == "▼", "the busiest is first"
        top.press("S")
        top.until(lambda screen: column(screen, "USED") == "▲" and names(screen)[0] == "pool:api")
        top.press("r")
        top.until(lambda screen: column(screen, "USED") == "▼" and names(screen)[0] == "pool:database")
        top.press("/GPU\r")
        top.until(lambda screen: names(screen) == ["pool:gpu"] and "1 of 3 with 'GPU'" in screen[2])
        top.press("\x1b")
        top.until(lambda screen: len(names(screen)) == 3)
        client.limits.set("pool:new", 1)
        top.until(lambda screen: "pool:new" in names(screen))
        top.press("4")
        top.until(lambda screen: any(line.startswith("SESSION") for line in screen))
        quits(top, before)


def quits(top: Terminal, before: list[object]) -> None:
    """Press q, and look at what is left."""
    top.press("q")
    assert top.end() == 0
    assert top.settings == before
    assert top.all.count(ALTERNATE) == top.all.count(MAIN) == 1
    assert SHOW_CURSOR in top.all


def test_it_follows_the_size_of_its_terminal(cli: CommandLine, client: Client) -> None:
    for number in range(30):
        client.limits.set(f"pool:p{number}", 1)
    with in_terminal(["top"], cli.environment(), columns=110, lines=20) as top:
        before = top.settings
        assert top.until(lambda screen: len(names(screen)) == 15)[-1].startswith("1-4 view")
        top.resize(60, 10)
        screen = top.until(lambda screen: len(names(screen)) == 5)
        assert max(map(len, screen)) <= 60
        top.press("\x1b[F")  # to the end; 9 goes before 10
        top.until(lambda screen: names(screen)[-1] == "pool:p29")
        top.resize(110, 3)
        top.until(lambda screen: len(screen) <= 3)
        top.resize(110, 40)
        top.press("\x1b[H")
        top.until(lambda screen: len(names(screen)) == 30)
        quits(top, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(number: signal.Signals, cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:api", 1)
    with in_terminal(["top"], cli.environment()) as top:
        before = top.settings
        top.until(lambda screen: bool(names(screen)))
        top.process.send_signal(number)
        assert top.end() == 128 + number
        assert top.settings == before
        assert MAIN in top.all
        assert "Traceback" not in top.all


def test_a_server_that_is_away_is_told_of_and_q_is_answered(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:api", 1)
    with in_terminal(["top", "--every", "0.2"], cli.environment()) as top:
        before = top.settings
        top.until(lambda screen: bool(names(screen)))
        client.connections.plain("CLIENT", "PAUSE", "1500", "ALL")
        top.press("/a")
        top.until(lambda screen: screen[-1].startswith("filter: a"))
        top.press("\x1b")
        quits(top, before)


def test_without_a_terminal_it_says_what_to_use(cli: CommandLine) -> None:
    said = cli.fails(2, "top")
    assert "top needs a terminal" in said
    assert "status --watch" in said
    assert "--json" in said
    assert "did you mean workers?" in cli.fails(2, "top", "--view", "worker")


def test_what_a_terminal_sends_is_keys() -> None:
    assert keys_in("q\x1b[A\x1bOB\x1b[5~\x1b") == ["q", "up", "down", "page up", "escape"]
    assert keys_in("\x1b[1;5C\x01é\t\r\x7f") == ["é", "tab", "enter", "backspace"], "what is not known is left out"
    assert keys_in("\x1b[200") == [], "half a sequence"


def test_keys_change_the_state_and_never_leave_what_is_there() -> None:
    state = State()
    for key in ("S", "left", "s", "s", "end", "down", "page up", "up", "home", "r", "tab", "4", "backtab", "x", "?"):
        state = pressed(state, key, columns=len(columns_of(state.view)), rows=3, room=10)
        assert state.top == 0, "all rows fit"
        assert 0 <= state.order.column < len(columns_of(state.view))
    assert state.view == "workers"
    assert [key for key in "qp/" if pressed(state, key, columns=1, rows=0, room=1) == state] == []
    typing = pressed(State(), "/", columns=1, rows=0, room=1)
    for key in ("q", "up", "p", "backspace", "2"):
        typing = pressed(typing, key, columns=1, rows=0, room=1)
    assert (typing.filter, typing.over, typing.view) == ("q2", False, VIEWS[0])


def test_each_view_begins_with_what_is_busiest() -> None:
    titles = {view: columns_of(view)[State(view).order.column].title for view in VIEWS}
    assert titles == {"limits": "WAITING", "runs": "STARTED", "workers": "HOST", "sessions": "LEASES"}
    assert State("runs").order == Order(6)
