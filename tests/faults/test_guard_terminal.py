"""A guarded command at a terminal: a real shell with job control on a real pseudo terminal."""

from __future__ import annotations

import os
import pty
import select
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PATIENCE = 20.0  # seconds after which a test gives up

_EXEC = """
import os, sys
from semaphores.guard.clock import now
from semaphores.guard.run import run_guarded
sys.exit(run_guarded(sys.argv[1:], deadline=lambda: now() + 30, lost=lambda: None, env=os.environ).code)
"""
_ASK = "import sys; print('re' + 'ady', flush=True); print('got', input())"


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "exec.py").write_text(_EXEC)
        self._exec = f"{shlex.quote(sys.executable)} {shlex.quote(str(folder / 'exec.py'))}"
        self._shown = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), "TERM": "dumb", "PS1": "$ "}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], env)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def guarded(self, *command: str) -> str:
        return f"{self._exec} {shlex.join(command)}"

    def wait_for(self, text: str) -> str:
        """Wait until the terminal shows a text. Return what it showed up to there."""
        while text not in self._shown:
            ready, _, _ = select.select([self._terminal], [], [], _PATIENCE)
            assert ready, f"{text!r} was never shown, but: {self._shown!r}"
            self._shown += os.read(self._terminal, 4096).decode(errors="replace")
        before, _, self._shown = self._shown.partition(text)
        return before

    def close(self) -> None:
        os.kill(self.pid, signal.SIGHUP)  # it passes it on to its jobs
        os.close(self._terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_a_command_can_ask_at_the_terminal_and_the_shell_gets_it_back(shell: Shell) -> None:
    shell.type(shell.guarded(sys.executable, "-c", _ASK) + "; echo co''de $?\n")
    shell.wait_for("ready")
    shell.type("one\n")
    shell.wait_for("got one")
    shell.wait_for("code 0")
    shell.type("echo still he''re\n")
    shell.wait_for("still here")


def test_ctrl_c_ends_a_command_that_has_the_terminal(shell: Shell) -> None:
    shell.type(shell.guarded("sh", "-c", "echo re''ady; read answer") + "; echo co''de $?\n")
    shell.wait_for("ready")
    shell.type("\x03")
    shell.wait_for("code 130")


def test_ctrl_c_ends_a_command_that_never_touched_the_terminal(shell: Shell) -> None:
    shell.type(shell.guarded("sh", "-c", "echo re''ady; exec sleep 100 </dev/null") + "; echo co''de $?\n")
    shell.wait_for("ready")
    shell.type("\x03")
    shell.wait_for("code 130")


@pytest.mark.parametrize("reads", [True, False])
def test_ctrl_z_stops_a_command_and_fg_goes_on_with_it(shell: Shell, reads: bool) -> None:
    # one that does not read forks nothing either: a shell stopped in its vfork is not seen to stop, by any shell
    sleeps = "import time; print('re' + 'ady', flush=True); time.sleep(0.7); print('got .')"
    asks = "read first; echo re''ady; read answer; echo go''t $answer."
    shell.type((shell.guarded("sh", "-c", asks) if reads else shell.guarded(sys.executable, "-c", sleeps)) + "\n")
    if reads:
        shell.type("one\n")  # so that it has the terminal when it says that it is ready
    shell.wait_for("ready")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("fg; echo co''de $?\n")
    shell.type("two\n")
    shell.wait_for("got two." if reads else "got .")
    shell.wait_for("code 0")


def test_a_command_in_the_background_stops_when_it_asks_and_fg_brings_it_back(shell: Shell) -> None:
    shell.type(shell.guarded(sys.executable, "-c", _ASK) + " &\n")
    shell.wait_for("ready")
    shell.type("\n" * 2)
    for _ in range(50):
        shell.type("jobs; echo as''ked\n")
        if "Stopped" in shell.wait_for("asked"):
            break
        select.select([], [], [], 0.1)  # a shell tells of a stopped job at its next prompt only
    shell.type("fg\n")
    shell.wait_for("exec.py")
    shell.type("three\n")
    shell.wait_for("got three")


def test_the_rest_of_a_pipeline_keeps_the_terminal(shell: Shell) -> None:
    reader = shlex.join(
        [sys.executable, "-c", "import sys; sys.stdin.read(); print('got', open('/dev/tty').readline())"]
    )
    shell.type(shell.guarded("sh", "-c", "echo data; exec sleep 0.3") + f" | {reader}; echo co''de $?\n")
    shell.type("four\n")
    shell.wait_for("got four")
    shell.wait_for("code 0")
