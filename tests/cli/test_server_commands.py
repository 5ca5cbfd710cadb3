"""What `semaphores server` promises: the embedded server from nothing to stopped, ready for use without a grace."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest

from tests.cli.commandline import CommandLine, keys


@pytest.fixture
def embedded() -> Iterator[CommandLine]:
    """The command line of a user who never used it."""
    with TemporaryDirectory(prefix="sem-") as folder:
        cli = CommandLine({"XDG_STATE_HOME": folder})
        try:
            yield cli
        finally:
            cli.run("server", "stop")


def test_from_nothing_to_a_running_server_and_back(embedded: CommandLine) -> None:
    before = embedded.run("server", "status")
    assert before.code == 1
    assert before.out.startswith("not running")
    url = embedded.ok("server", "url").out.strip()
    assert embedded.ok("server", "start").out.startswith("started: pid ")
    assert embedded.ok("server", "start").out.startswith("runs already: pid ")
    status = embedded.ok("server", "status", "--json").json
    assert keys(status) == {"running", "held", "url", "socket", "folder", "pid", "host", "since"}
    assert isinstance(status, dict)
    assert (status["running"], status["url"]) == (True, url)
    assert embedded.ok("server", "cli", "PING").out == "PONG\n"
    assert embedded.ok("server", "cli", "HGET", "sem:{default}:meta", "ttl").out != "(nil)\n"
    assert embedded.run("server", "cli", "NONSENSE", "--url").code == 1
    embedded.ok("pool", "set", "database", "1")
    embedded.ok("exec", "--pool", "database", "--tag", "a=b", "--timeout", "0", "--", "true")
    assert embedded.ok("server", "stop").out == "stopped\n"
    assert embedded.ok("server", "stop").out == "no embedded server was running\n"


def test_first_use_starts_it_and_reading_first_costs_no_grace(embedded: CommandLine) -> None:
    assert "ttl 10 s" in embedded.ok("status").out
    embedded.ok("pool", "set", "database", "1")
    embedded.ok("exec", "--pool", "database", "--timeout", "0", "--", "true")


def test_a_stop_in_order_with_nobody_left_costs_no_grace_at_the_next_start(embedded: CommandLine) -> None:
    embedded.ok("pool", "set", "database", "1")
    embedded.ok("exec", "--pool", "database", "--timeout", "0", "--", "true")
    embedded.ok("server", "stop")
    embedded.ok("exec", "--pool", "database", "--timeout", "0", "--", "true")


def test_start_says_when_another_server_is_in_use(embedded: CommandLine) -> None:
    done = embedded.run("server", "start", env={"SEMAPHORES_URL": "redis://127.0.0.1:1"})
    assert done.code == 0
    assert done.err.startswith("note: SEMAPHORES_URL is set")


def test_without_a_server_the_prompt_says_how_to_start_one(embedded: CommandLine) -> None:
    assert "'semaphores server start' starts it" in embedded.fails(1, "server", "cli", "PING")
    assert "a command is missing" in embedded.fails(2, "server", "cli")
