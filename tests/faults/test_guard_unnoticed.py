"""A guarded command behaves as it would without the guard. Real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from semaphores.errors import UsageError
from semaphores.guard import run as holder_side
from tests.faults.guarded import ENV, HOLDER, PATIENCE, ROOT, read, run


@pytest.mark.parametrize("code", [0, 1, 125, 255])
def test_the_exit_code_of_the_command_passes_through(code: int) -> None:
    assert run("sh", "-c", f"exit {code}") == (code, "exited")


def test_a_command_that_died_of_a_signal_gives_128_and_its_number() -> None:
    assert run("sh", "-c", "kill -9 $$") == (137, "exited")


def test_what_is_not_there_gives_127_and_what_cannot_run_126_as_env_does(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    assert run("no-such-command-anywhere") == (127, "not found")
    assert run(str(tmp_path / "text")) == (126, "not executable")
    assert run(str(tmp_path)) == (126, "not executable")


def test_no_command_is_a_mistake_that_is_told() -> None:
    with pytest.raises(UsageError, match="no command to run"):
        run()


def test_the_command_reads_our_input_and_writes_our_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "5", "renews", "sort"]
    done = subprocess.run(command, check=False, env=ENV, input=b"b\na\n", capture_output=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr, done.returncode) == (b"a\nb\n", b"", 0)


def test_the_command_gets_signals_as_they_were_and_the_environment_as_given(tmp_path: Path) -> None:
    show = (
        "import os, signal; print(sorted(os.environ)); "
        "print([s.name for s in signal.valid_signals() if isinstance(s, signal.Signals)"
        " and signal.getsignal(s) == signal.SIG_IGN], signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    env = {"PATH": os.environ["PATH"], "LC_CTYPE": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    bare = [sys.executable, "-c", show]
    guarded = [sys.executable, "-c", HOLDER, str(tmp_path), "5", "renews", *bare]
    wrapped = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]  # as nohup
    direct = subprocess.run([*wrapped, *bare], check=False, env=env, capture_output=True, timeout=PATIENCE)
    through = subprocess.run([*wrapped, *guarded], check=False, env=env, capture_output=True, timeout=PATIENCE)
    assert b"SIGHUP" in direct.stdout
    assert through.stdout == direct.stdout


def test_the_guard_starts_without_what_it_does_not_need() -> None:
    show = holder_side._BOOT.replace("main()", "print(*sys.modules)")
    loaded = subprocess.check_output([sys.executable, "-I", "-S", "-c", show, holder_side._FOLDER]).decode().split()
    assert "semaphores.guard.guard" in loaded
    assert not {"site", "typing", "subprocess", "socket", "semaphores.errors", "semaphores.guard.run"} & set(loaded)


def test_an_interrupt_reaches_the_command(tmp_path: Path) -> None:
    script = "import signal; signal.signal(2, lambda *a: exit(9)); print('up', flush=True); signal.pause()"
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "30", "renews", sys.executable, "-c", script]
    with subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, process_group=0) as holder:
        assert holder.stdout is not None
        read(holder.stdout.fileno())
        holder.send_signal(signal.SIGINT)
        assert holder.wait(PATIENCE) == 9
