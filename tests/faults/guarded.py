"""Guarded commands for tests: a holder in a process of its own, and a command that shows when it is alive.

The command writes the time into a pipe while it lives. The pipe's end says that everything that came of it is dead: no
process needs to be looked for.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from semaphores.guard.clock import now
from semaphores.guard.run import run_guarded

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
PATIENCE = 20.0  # seconds after which a test gives up

HOLDER = """
import json, os, signal, sys
from pathlib import Path
from semaphores.guard.clock import now
from semaphores.guard.run import run_guarded

folder, life, how, command = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]
first = now() + life
(folder / "deadline").write_text(repr(first))
asked = 0

def deadline():
    global asked
    asked += 1
    if how == "forks" and asked == 3:
        sibling = os.fork()
        if sibling == 0:
            os.closerange(0, 3)
            for fd in map(int, os.listdir("/dev/fd")):
                if os.path.exists(f"/dev/fd/{fd}") and os.get_inheritable(fd):
                    os.close(fd)
            signal.alarm(60)
            signal.pause()
        (folder / "sibling").write_text(str(sibling))
        os.write(1, b"forked")
    return now() + life if how == "renews" else first

def lost():
    return "it was revoked" if (folder / "revoked").exists() else None

outcome = run_guarded(command, deadline=deadline, lost=lost, env=os.environ)
(folder / "outcome").write_text(json.dumps([outcome.code, outcome.reason, outcome.detail]))
sys.exit(outcome.code)
"""

WORK = """
import os, signal, sys, time
from semaphores.guard.clock import now

out, how = int(sys.argv[1]), sys.argv[2]
if "deaf" in how:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
os.write(out, f"{os.getppid()}\\n".encode())
if "daemon" in how:
    if os.fork():
        if "leaves" in how:
            os._exit(5)
        while True:
            signal.pause()
    os.setsid()
    if os.fork():
        os._exit(0)
while True:
    os.write(out, f"{now()}\\n".encode())
    time.sleep(0.005)
    if "runs" in how and os.fork():
        os._exit(0)
    if "runs" in how:
        os.setsid()
"""


@dataclass
class Holder:
    """A process that holds a lease and runs a command under it."""

    process: subprocess.Popen[bytes]
    signs: int  # the pipe that the command writes into
    folder: Path

    @property
    def deadline(self) -> float:
        return float((self.folder / "deadline").read_text())

    @property
    def outcome(self) -> list[object]:
        found = json.loads((self.folder / "outcome").read_text())
        assert isinstance(found, list)
        return found

    def first_signs(self) -> int:
        """Wait until the command works. Return the guard's pid."""
        seen = b""
        while seen.count(b"\n") < 3:
            seen += read(self.signs)
        return int(seen.split(b"\n")[0])

    def end_of_signs(self) -> tuple[float, float]:
        """Wait until nothing of the command is left. Return the time of its last sign of life, and of its end."""
        seen = b""
        while piece := read(self.signs):
            seen += piece
        lines = [line for line in seen.split(b"\n") if b"." in line]
        return (float(lines[-1]) if lines else 0.0), now()


def read(file: int) -> bytes:
    ready, _, _ = select.select([file], [], [], PATIENCE)
    assert ready, f"something was still alive and silent after {PATIENCE} s"
    return os.read(file, 65536)


class Start:
    """Start holders, each with the worker above as its command."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.started = folder, list[Holder]()

    def __call__(self, work: str, *, life: float, how: str = "stands") -> Holder:
        ours, theirs = os.pipe()
        command = [sys.executable, "-c", WORK, str(theirs), work]
        arguments = [sys.executable, "-c", HOLDER, str(self._folder), str(life), how, *command]
        process = subprocess.Popen(arguments, env=ENV, pass_fds=[theirs], stdout=subprocess.PIPE, process_group=0)
        os.close(theirs)
        self.started.append(Holder(process, ours, self._folder))
        return self.started[-1]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Give what starts holders; end and close all of them afterwards."""
    start = Start(folder)
    yield start
    for holder in start.started:
        holder.process.kill()
        holder.process.communicate()
        os.close(holder.signs)


def run(*command: str, script: str | None = None) -> tuple[int, str]:
    outcome = run_guarded(
        command if script is None else [sys.executable, "-c", script],
        deadline=lambda: now() + 5,
        lost=lambda: None,
        env=ENV,
    )
    return outcome.code, outcome.reason
