"""Many runs at once: waiting for them, canceling them, and how far that is."""

from __future__ import annotations

import re

import pytest

from semaphores import Client
from semaphores.cli.meter import Meter
from semaphores.runs import RunSpec
from tests.cli.commandline import CommandLine
from tests.cli.crew import ByHand
from tests.cli.terminal import in_terminal


@pytest.fixture
def ttl() -> float:
    """Long enough for a worker for which nobody beats."""
    return 60.0


def submit(client: Client, *runs: str, job: str = "etl", day: str = "mon") -> None:
    for run in runs:
        client.runs.submit(RunSpec(job, location="growth", tags={"day": day}), run=run)


def test_waiting_ends_when_no_run_of_the_filter_is_left_and_says_how_far_it_is(
    cli: CommandLine, client: Client, worker: ByHand
) -> None:
    submit(client, "r1", "r2")
    submit(client, "r3", job="report")
    worker.start("r1")
    with cli.start("run", "list", "--job", "etl", "--wait", "--json") as waiting:
        assert waiting.stderr is not None
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  runs that are over: 0 of 2, 1 QUEUED, 1 STARTED\n", waiting.stderr.readline()
        )
        worker.finish("r1")
        assert "1 of 2, 1 QUEUED" in waiting.stderr.readline()
        worker.start("r2")
        worker.finish("r2")
        out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, err
    listed = cli.ok("run", "list", "--job", "etl", "--json")
    assert out == listed.out, "those that were waited for, as they are now"
    assert client.runs.get("r3").run.status == "QUEUED"


def test_waiting_for_a_run_that_fails_ends_with_1(cli: CommandLine, client: Client, worker: ByHand) -> None:
    submit(client, "r1")
    worker.start("r1")
    with cli.start("run", "list", "--wait") as waiting:
        assert waiting.stderr is not None
        waiting.stderr.readline()
        worker.finish("r1", "FAILURE", reason="boom")
        out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, "boom" in out) == (1, True)
    assert cli.ok("run", "list", "--wait").out == "no such run is queued or in progress\n"
    assert "are over: there is nothing to wait for" in cli.fails(2, "run", "list", "--wait", "--status", "success")


def test_a_filter_cancels_what_it_names_and_nothing_else(cli: CommandLine, client: Client, worker: ByHand) -> None:
    submit(client, "r1", "r2", "r3")
    submit(client, "r4", day="tue")
    submit(client, "r5", job="report")
    worker.start("r1")
    said = cli.fails(2, "run", "cancel", "--job", "etl", "--tag", "day=mon")
    assert said.startswith("this would cancel 2 QUEUED, 1 STARTED: say --yes")
    done = cli.ok("run", "cancel", "--status", "queued", "--job", "etl", "--tag", "day=mon", "--yes")
    assert done.out == "runs: 2 are canceled\n"
    assert {run.id: run.status for run in client.runs.list()} == {
        **dict.fromkeys(("r2", "r3"), "CANCELED"),
        **dict.fromkeys(("r4", "r5"), "QUEUED"),
        "r1": "STARTED",
    }
    assert cli.ok("run", "cancel", "--job", "etl", "-y").out == "runs: 1 are canceled, 1 are told to end\n"
    assert cli.ok("run", "cancel", "--job", "etl", "-y").out == "no run of job 'etl' is queued or in progress\n"


def test_canceling_needs_ids_or_a_filter_and_not_both(cli: CommandLine) -> None:
    for words in ((), ("--yes",), ("r1", "--job", "etl")):
        assert "one of the two" in cli.fails(2, "run", "cancel", *words)
    assert "there is nothing to cancel" in cli.fails(2, "run", "cancel", "--status", "FAILURE")


def test_on_a_terminal_it_asks_first(cli: CommandLine, client: Client) -> None:
    submit(client, "r1")
    for answer, status, code in (("n\r", "QUEUED", 1), ("y\r", "CANCELED", 0)):
        with in_terminal(["run", "cancel", "--status", "queued"], cli.environment()) as terminal:
            terminal.until(lambda screen: "cancel 1 QUEUED? [y/N]" in "".join(screen))
            terminal.press(answer)
            assert terminal.end() == code
        assert client.runs.get("r1").run.status == status


def test_on_a_terminal_waiting_draws_a_bar(cli: CommandLine, client: Client) -> None:
    submit(client, "r1", "r2")
    with in_terminal(["run", "list", "--wait"], cli.environment()) as terminal:
        terminal.until(lambda screen: "0/2" in "".join(screen) and "2 QUEUED" in "".join(screen))
        client.runs.cancel("r1")
        terminal.until(lambda screen: "1/2" in "".join(screen))
        client.runs.cancel("r2")
        assert terminal.end() == 1


def test_examining_tells_how_far_it_is(client: Client) -> None:
    for number in range(450):
        client.limits.set(f"pool:p{number}", 1)
    submit(client, *(f"r{number}" for number in range(250)))
    told: list[tuple[int, int]] = []
    client.examine(lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1] > 250


def test_what_is_quick_says_nothing_and_lines_come_when_they_are_due(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter("things") as quick:
        quick.tell(1, 2)
    with Meter("things", quiet=0.0, lines=60.0) as slow:
        slow.tell(1, 2, "\x1b[2J")
        slow.tell(2, 2)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  things: 1 of 2, \\x1b\[2J\n", capsys.readouterr().err)
