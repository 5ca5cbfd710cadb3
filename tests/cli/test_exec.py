"""What `exec` promises: the command runs while its slots are held, its exit code is passed on, nothing stays behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from semaphores import Client
from tests.cli.commandline import CommandLine, first_line
from tests.servers import Server, start_server

HELD = "import sys; print('held', flush=True); sys.stdin.read()"  # until its input ends


@contextmanager
def running(cli: CommandLine, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command line whose command says `held`, until the block ends."""
    process = cli.start("exec", *words, "--", sys.executable, "-c", HELD)
    try:
        assert first_line(process) == "held", process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate()


def until_free(client: Client, limit: str, seconds: float) -> None:
    """Wait until nobody holds a limit."""
    patience = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if client.limits.get(limit).used == 0:
            return
        patience.wait(0.05)
    raise AssertionError(f"{limit} is still held after {seconds} s")


def test_the_exit_code_is_the_commands_own(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    assert cli.run("exec", "--pool", "database", "--", "sh", "-c", "exit 7").code == 7
    assert cli.run("exec", "--pool", "database", "--", "sh", "-c", "kill -9 $$").code == 137
    assert cli.run("exec", "--pool", "database", "sh", "-c", "exit 3").code == 3, "the -- may be left out"
    assert client.limits.get("pool:database").used == 0


def test_the_command_finds_lease_and_token_in_its_environment(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    script = "echo $SEMAPHORES_LEASE $SEMAPHORES_TOKEN; %s -m semaphores lease list --json" % sys.executable  # noqa: UP031
    done = cli.ok("exec", "--pool", "database", "--", "sh", "-c", script)
    lease, token = done.out.splitlines()[0].split()
    assert f'"id": "{lease}"' in done.out
    assert f'"token": {token}' in done.out


def test_it_holds_what_was_asked_for(cli: CommandLine, client: Client) -> None:
    for limit in ("pool:a", "pool:b", "tag:team"):
        client.limits.set(limit, 5)
    with running(cli, "--pool", "a", "--pool", "b", "--slots", "2", "--slots", "3", "--tag", "team=growth"):
        (lease,) = client.leases()
        assert lease.slots == {"pool:a": 2, "pool:b": 3, "tag:team": 1, "tag:team=growth": 1}
    with running(cli, "--pool", "a", "--pool", "b", "--slots", "2"):
        assert {"pool:a": 2, "pool:b": 2} in [lease.slots for lease in client.leases()]


def test_no_slot_in_time_is_124_and_says_who_holds_it(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with client.pool("database"):
        for timeout in ("0", "0.3"):
            error = cli.fails(124, "exec", "--pool", "database", "--timeout", timeout, "--", "true")
            assert "pool 'database' is full: 1 of 1 slots held (oldest: " in error
        assert client.requests() == ()


def test_it_waits_for_its_turn(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with client.pool("database"):
        process = cli.start("exec", "--pool", "database", "--", "echo", "done")
        patience = threading.Event()
        while not client.requests("pool:database"):
            patience.wait(0.02)
    assert process.communicate(timeout=30) == ("done\n", "")
    assert process.returncode == 0


def test_not_found_and_not_executable_are_as_of_env(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    assert "was not found" in cli.fails(127, "exec", "--pool", "database", "--", "no-such-command-here")
    assert "cannot run" in cli.fails(126, "exec", "--pool", "database", "--", "/etc/passwd")


def test_a_lease_taken_by_force_ends_the_command_with_125(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with running(cli, "--pool", "database") as process:
        client.release(client.leases("pool:database")[0].id)
        assert process.wait(30) == 125
        assert process.stderr is not None
        err = process.stderr.read()
        assert "released by force" in err
        assert "Traceback" not in err
    assert client.limits.get("pool:database").used == 0


def test_killed_it_takes_its_command_along_and_the_slot_comes_back(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with client.pool("other"), running(cli, "--pool", "database") as process:  # another of us lives on this host
        process.kill()
        process.wait()
        until_free(client, "pool:database", 7.0)  # its ttl is 5 s


def test_told_to_end_it_gives_its_slot_back_at_once(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with running(cli, "--pool", "database") as process:
        process.terminate()
        assert process.wait(10) == 128 + signal.SIGTERM
        assert client.limits.get("pool:database").used == 0


def test_told_to_end_while_it_waits_it_leaves_the_line(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with client.pool("database"):
        for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            process = cli.start("exec", "--pool", "database", "--", "true")
            patience = threading.Event()
            while not client.requests("pool:database"):
                patience.wait(0.02)
            process.send_signal(number)
            _, err = process.communicate(timeout=10)
            assert (process.returncode, err) == (code, "")
            assert client.requests() == ()


def test_a_pool_without_limit_is_warned_of_with_the_nearest_name(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    done = cli.run("exec", "--pool", "databse", "--", "true")
    assert done.code == 0
    assert done.err.startswith("warning: pool 'databse' has no limit, so it holds nobody back (did you mean")
    assert len(done.err.splitlines()) == 1


def test_a_wait_for_a_grace_is_announced_with_the_way_around_it(namespace: str) -> None:
    with start_server() as server:
        cli = CommandLine({"SEMAPHORES_URL": server.url, "SEMAPHORES_NAMESPACE": namespace, "SEMAPHORES_TTL": "1"})
        refused = cli.run("exec", "--pool", "database", "--timeout", "1.5", "--", "true")
        assert refused.code == 124
        announced, error = refused.err.splitlines()
        assert announced.startswith("waiting: nothing is granted for another ")
        assert "semaphores init" in announced
        assert error.startswith("error: nothing is granted for another ")


def test_after_init_nothing_waits(server: Server, namespace: str) -> None:
    cli = CommandLine({"SEMAPHORES_URL": server.url, "SEMAPHORES_NAMESPACE": namespace})
    assert "is made: ttl 3 s" in cli.ok("init", "--ttl", "3").out
    again = cli.ok("init").out
    assert "exists already (ttl 3 s): nothing was done" in again
    assert cli.ok("init", "--json").json == {"name": namespace, "made": False, "ttl": 3.0, "grace": None}
    cli.ok("pool", "set", "database", "1")
    cli.ok("exec", "--pool", "database", "--timeout", "0", "--", "true")


def test_what_cannot_be_meant_is_exit_code_2(cli: CommandLine) -> None:
    for words, said in (
        (("--pool", "a"), "no command to run"),
        (("--", "true"), "nothing to hold"),
        (("--pool", "a", "--pool", "a", "--", "true"), "named twice"),
        (("--pool", "a", "--slots", "1", "--slots", "2", "--", "true"), "--slots is given 2 times for 1 pools"),
        (("--pool", "a", "--slots", "0", "--", "true"), "slots cannot be 0"),
        (("--tag", "team", "--", "true"), "write --tag KEY=VALUE"),
        (("--pool", "a", "--timeout", "-1", "--", "true"), "--timeout cannot be -1"),
        (("--pool", "a", "--priority", "99999", "--", "true"), "priority cannot be 99999"),
    ):
        assert said in cli.fails(2, "exec", *words), words
