"""The guard: no command outlives its lease, whatever happens to its holder. Real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from semaphores.guard.clock import now
from semaphores.guard.run import run_guarded
from tests.faults.guarded import ENV, HOLDER, PATIENCE, Start, read, run, starting

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a child subreaper")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start


@pytest.mark.parametrize("life", [0.9, 3.0])
def test_a_command_that_ignores_sigterm_is_dead_before_the_deadline_when_no_new_one_comes(
    start: Start, life: float
) -> None:
    holder = start("deaf", life=life)
    last, _ = holder.end_of_signs()  # the end comes with the holder's own, which may be later
    assert last < holder.deadline, f"alive {last - holder.deadline:+.3f} s after the deadline"
    assert last > holder.deadline - 1, "it was ended much too early"
    assert holder.process.wait(PATIENCE) == 125
    assert holder.outcome[1] == "lease lost"


def test_a_command_that_heeds_sigterm_may_end_in_its_own_way_before_the_deadline(tmp_path: Path) -> None:
    script = "import signal, sys; signal.signal(15, lambda *a: (print('saved'), sys.exit(3))); signal.pause()"
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "1.5", "stands", sys.executable, "-c", script]
    done = subprocess.run(command, check=False, env=ENV, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (125, b"saved\n")


def test_a_lease_that_is_renewed_lets_its_command_run_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "0.7", "renews", "sleep", "2"]
    assert subprocess.run(command, check=False, env=ENV, timeout=PATIENCE).returncode == 0


def test_a_lease_that_ran_out_starts_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    outcome = run_guarded(["touch", str(mark)], deadline=lambda: now() - 0.1, lost=lambda: None, env=ENV)
    assert (outcome.code, outcome.reason, mark.exists()) == (125, "lease lost", False)


def test_a_lost_lease_ends_its_command_long_before_the_deadline(start: Start) -> None:
    holder = start("deaf", life=30)
    holder.first_signs()
    (holder.folder / "revoked").touch()
    began = now()
    assert holder.process.wait(PATIENCE) == 125
    assert holder.end_of_signs()[1] - began < 2
    assert "it was revoked" in str(holder.outcome[2])


@pytest.mark.parametrize("work", ["deaf", pytest.param("deaf daemon", marks=on_linux)])
@pytest.mark.parametrize("whom", ["holder", "its group"])
def test_a_killed_holder_leaves_nothing_at_work_not_even_a_deaf_daemon(start: Start, work: str, whom: str) -> None:
    holder = start(work, life=5)
    holder.first_signs()
    began = now()
    (os.kill if whom == "holder" else os.killpg)(holder.process.pid, signal.SIGKILL)
    last, end = holder.end_of_signs()
    assert last < end < holder.deadline
    assert end - began < 2, "the closed link did not speed it up"


@on_linux
def test_a_killed_holder_on_a_short_lease_leaves_nothing_past_its_deadline(start: Start) -> None:
    holder = start("deaf daemon", life=1.2)
    holder.first_signs()
    holder.process.kill()
    assert holder.end_of_signs()[0] < holder.deadline


@on_linux
def test_a_forked_sibling_that_keeps_the_link_open_does_not_keep_the_command_alive(start: Start) -> None:
    holder = start("deaf", life=30, how="forks")
    assert holder.process.stdout is not None
    assert read(holder.process.stdout.fileno()) == b"forked"
    sibling = int((holder.folder / "sibling").read_text())
    try:
        holder.process.kill()
        began = now()
        assert holder.end_of_signs()[1] - began < 3
        os.kill(sibling, 0)  # it was there all the time
    finally:
        os.kill(sibling, signal.SIGKILL)


@pytest.mark.parametrize("work", ["plain", "deaf", pytest.param("deaf daemon", marks=on_linux)])
def test_a_holder_told_to_end_is_done_with_its_command_within_two_seconds(start: Start, work: str) -> None:
    holder = start(work, life=30)
    holder.first_signs()
    began = now()
    holder.process.terminate()
    code = holder.process.wait(PATIENCE)
    assert now() - began < 2
    holder.end_of_signs()
    assert code == (143 if work == "plain" else 137)
    assert holder.outcome[1] == "terminated"


@on_linux
@pytest.mark.parametrize("work", ["daemon leaves", "deaf daemon leaves"])
def test_what_a_command_left_running_is_ended_before_the_holder_goes_on(start: Start, work: str) -> None:
    holder = start(work, life=30)
    assert holder.process.wait(PATIENCE) == 5
    began = now()
    assert holder.end_of_signs()[1] - began < 0.2
    assert holder.outcome[1] == "exited"


@on_linux
def test_a_daemon_that_forks_and_leaves_without_end_is_dead_before_the_deadline(start: Start) -> None:
    holder = start("deaf daemon runs", life=1.2)
    last, _ = holder.end_of_signs()
    assert last < holder.deadline
    assert holder.process.wait(PATIENCE) == 125


@on_linux
def test_orphans_that_end_leave_no_zombies() -> None:
    script = """
import os, time
ours, theirs = os.pipe()
if not (child := os.fork()):
    if not os.fork():
        os.write(theirs, str(os.getpid()).encode())
    os._exit(0)
os.waitpid(child, 0)
orphan = os.read(ours, 20).decode()
while os.path.exists("/proc/" + orphan):
    time.sleep(0.001)
"""
    assert run(script=script) == (0, "exited")


def test_a_killed_guard_takes_the_command_with_it(start: Start) -> None:
    holder = start("deaf", life=30)
    os.kill(holder.first_signs(), signal.SIGKILL)
    assert holder.process.wait(PATIENCE) == 125
    holder.end_of_signs()
    assert holder.outcome[1] == "guard died"
