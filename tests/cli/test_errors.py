"""What every command promises: one line for an error, the right exit code, options anywhere, no password shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from semaphores import Client
from tests.cli.commandline import CommandLine
from tests.servers import free_port


def test_version_and_help_need_no_server(cli: CommandLine) -> None:
    away = {"SEMAPHORES_URL": "redis://127.0.0.1:1"}
    assert cli.ok("--version", env=away).out.startswith("semaphores ")
    assert "Commands:" in cli.ok("--help", env=away).out
    assert cli.ok("-h", env=away).out == cli.ok("--help", env=away).out


def test_help_of_a_command_shows_the_global_options(cli: CommandLine) -> None:
    for words in (
        *(("exec",), ("init",), ("doctor",), ("apply",), ("pool", "set"), ("lease", "release"), ("server", "start")),
    ):
        text = cli.ok(*words, "--help").out
        assert "--namespace NAME" in text, words
        assert "--url URL" in text, words


def test_no_words_at_all_show_the_help(cli: CommandLine) -> None:
    done = cli.run()
    assert done.code == 2
    assert "Commands:" in done.err


def test_global_options_stand_before_and_after_the_command(cli: CommandLine, client: Client, namespace: str) -> None:
    client.limits.set("pool:database", 1)
    elsewhere = {"SEMAPHORES_NAMESPACE": "elsewhere"}
    assert '"pool:database"' in cli.ok("pool", "list", "--json", "--namespace", namespace, env=elsewhere).out
    assert '"pool:database"' in cli.ok("--namespace", namespace, "pool", "list", "--json", env=elsewhere).out
    assert '"pool:database"' in cli.ok("pool", "--namespace", namespace, "list", "--json", env=elsewhere).out
    last = cli.ok("--namespace", "elsewhere", "pool", "list", "--json", "--namespace", namespace)
    assert '"pool:database"' in last.out, "the one nearest to the command wins"


def test_a_server_that_is_not_there_is_one_line_without_the_password(cli: CommandLine) -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}"
    error = cli.fails(1, "status", "--url", url)
    assert "127.0.0.1" in error
    assert "hunter2" not in error


def test_a_bad_address_or_namespace_is_the_callers_mistake(cli: CommandLine) -> None:
    assert "did you mean redis://" in cli.fails(2, "status", "--url", "reds://:hunter2@localhost")
    assert "namespace 'a b' cannot be used" in cli.fails(2, "status", "--namespace", "a b")
    assert "SEMAPHORES_TTL cannot be 'soon'" in cli.fails(2, "status", env={"SEMAPHORES_TTL": "soon"})


def test_a_reader_that_had_enough_is_no_error(cli: CommandLine, client: Client) -> None:
    for number in range(50):
        client.limits.set(f"pool:p{number}", 1)
    process = subprocess.Popen(
        f"{sys.executable} -m semaphores status --watch --json | head -c 1",
        shell=True,
        env=cli.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.communicate(timeout=30) == ("{", "")


def test_a_terminal_without_utf8_loses_nothing(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:größe", 2, description="ein Schreiber – höchstens")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    assert "pool:gr\\xf6\\xdfe" in cli.ok("status", env=ascii_only).out
    assert "größe" in cli.ok("status", env={"PYTHONIOENCODING": "utf-8"}).out


def test_a_full_disk_is_one_line(cli: CommandLine, client: Client) -> None:
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "semaphores", "status"],
            env=cli.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=30,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_where_an_error_came_from(cli: CommandLine) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "semaphores", "pool", "get", "nothing"],
        env=cli.environment({"SEMAPHORES_DEBUG": "1"}), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.stderr.startswith("error: there is no limit 'pool:nothing'")
    assert "Traceback" in done.stderr


def test_a_bug_asks_for_a_report_in_one_line(cli: CommandLine, tmp_path: Path) -> None:
    """A module that breaks on import stands for any bug."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'semaphores.cli.audit':\n"
        "            raise ZeroDivisionError('a bug\\nof two lines')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    error = cli.fails(1, "audit", env={"PYTHONPATH": str(tmp_path)})
    assert error.startswith("this is a bug: ZeroDivisionError: a bug of two lines; please report it")
