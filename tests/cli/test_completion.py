"""Shell completion: what a shell asks in the environment, and what it is told."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from semaphores import Client
from semaphores.cli.entry import run
from semaphores.runs import RunSpec
from tests.cli.commandline import CommandLine

LIGHT = "import sys; from semaphores.cli import main\ntry:\n    main()\nfinally:\n    "


def asked(line: str, shell: str = "bash") -> dict[str, str]:
    """Return the environment in which a shell calls us when Tab is pressed at the end of a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_TYPER_COMPLETE_ARGS": line}
    return words | {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_SEMAPHORES_COMPLETE": f"complete_{shell}"}


class Tab:
    """Presses Tab in this process, which is quicker; a process of its own is in the tests that run a shell."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, line: str, shell: str = "bash", **env: str) -> list[str]:
        for name, value in (asked(line, shell) | env).items():
            self._monkeypatch.setenv(name, value)
        with suppress(SystemExit):
            run([])
        printed = self._capsys.readouterr()
        assert printed.err == ""
        return printed.out.split("\n")[:-1] if printed.out.strip() else []


@pytest.fixture
def tab(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tab:
    """Tab, on the namespace of the command line."""
    for name, value in cli.variables.items():
        monkeypatch.setenv(name, value)
    return Tab(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("semaphores po", ["pool"]),
        ("semaphores wor", ["workers", "worker"]),  # one is ours, one is of another package
        ("semaphores run e", ["execute"]),  # of another package
        ("semaphores pool re", ["resume"]),
        ("semaphores run list --st", ["--status"]),
        ("semaphores run list --na", ["--namespace"]),
        ("semaphores run list --status can", ["canceling", "canceled"]),
        ("semaphores completion ", ["bash", "zsh", "fish"]),
        ("semaphores nonsense x", []),
        ("semaphores nonsense --", []),
    ],
)
def test_words_are_completed_without_a_server(line: str, words: list[str], tab: Tab) -> None:
    assert tab(line, SEMAPHORES_URL="redis://127.0.0.1:1") == words


def test_names_come_from_the_server(tab: Tab, client: Client) -> None:
    for limit in ("pool:database", "pool:data_lake", "pool:api", "tag:team=growth"):
        client.limits.set(limit, 2)
    client.limits.set("pool:$(touch%20x)", 2)
    queued = client.runs.submit(RunSpec("nightly"), run="run-1").run
    assert tab("semaphores pool set da") == ["data_lake", "database"]
    assert tab("semaphores exec --pool ") == ["api", "data_lake", "database"], "what a shell would run is left out"
    assert tab("semaphores limit get tag") == ["tag:team=growth"]
    assert tab("semaphores run cancel r") == [queued]
    assert tab("semaphores pool get a", "fish") == ["api\t0 of 2"]
    assert tab("semaphores pool get a", "zsh") == ["""_arguments '*: :(("api":"0 of 2"))'"""]


def test_the_options_before_the_word_say_which_namespace(tab: Tab, client: Client) -> None:
    client.limits.set("pool:database", 2)
    name = client.connections.namespace
    there = {"SEMAPHORES_NAMESPACE": "elsewhere"}
    assert tab("semaphores pool get ", **there) == []
    assert tab(f"semaphores --namespace {name} pool get ", **there) == ["database"]
    assert tab(f"semaphores pool get --namespace {name} ", **there) == ["database"]


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of something that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_does_not_answer_is_waited_for_half_a_second_and_in_silence(deaf: str, tab: Tab) -> None:
    start = time.monotonic()
    assert tab("semaphores pool get ", SEMAPHORES_URL=deaf) == []
    assert time.monotonic() - start < 0.5 + 2.0, "seconds; without the bound it would be five"
    assert tab("semaphores pool get ", SEMAPHORES_URL="nonsense://") == []


def test_no_server_is_started(tmp_path: Path, tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert tab("semaphores pool get ", SEMAPHORES_URL="") == []
    assert list(tmp_path.iterdir()) == []


def test_completing_a_noun_imports_none() -> None:
    code = LIGHT + "print(sorted(name for name in sys.modules if name.startswith('semaphores.cli.')))"
    env = CommandLine({"SEMAPHORES_URL": "redis://127.0.0.1:1"}).environment(asked("semaphores po"))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "pool" in done.stdout.splitlines()
    assert "semaphores.cli.pool" not in done.stdout
    assert "semaphores.cli.status" not in done.stdout


def test_a_shell_that_is_not_known_is_refused_by_name(cli: CommandLine) -> None:
    assert "did you mean zsh?" in cli.fails(2, "completion", "zshh")


ASK = {  # each prints what it offers for `semaphores pool get da`
    "bash": """source ./script; COMP_WORDS=(semaphores pool get da); COMP_CWORD=3
        _semaphores_completion semaphores; printf '%s\\n' "${COMPREPLY[@]}" """,
    "zsh": """compdef() { }; _arguments() { print -r -- "$@"; }; source ./script
        words=(semaphores pool get da); CURRENT=4; _semaphores_completion""",
    "fish": """source ./script; complete -C 'semaphores pool get da'""",
}


@pytest.mark.parametrize("shell", ASK)
def test_a_real_shell_takes_the_script(shell: str, cli: CommandLine, client: Client, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    client.limits.set("pool:database", 2)
    (tmp_path / "script").write_text(cli.ok("completion", shell).out)
    (tmp_path / "semaphores").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m semaphores "$@"\n')
    (tmp_path / "semaphores").chmod(0o755)
    env = cli.environment()
    env |= {"PATH": f"{tmp_path}:{env['PATH']}", "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", ASK[shell]], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert "database" in done.stdout
