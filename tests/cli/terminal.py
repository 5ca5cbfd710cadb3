"""Terminal: a program under a pseudo-terminal of ours: what it drew last, keys, sizes, and the terminal's settings."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

PATIENCE = 30.0  # seconds, on a loaded machine
HOME = "\x1b[H"  # a full-screen view begins each screenful so
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")


class Terminal:
    """A terminal and the program in it."""

    def __init__(self, descriptor: int, side: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._descriptor, self._side = descriptor, side
        self._seen = ""

    @property
    def settings(self) -> list[object]:
        """How the terminal is set: what `stty` shows."""
        return termios.tcgetattr(self._side)

    @property
    def all(self) -> str:
        """Everything that the program wrote, as it wrote it."""
        self._read(0)
        return self._seen

    @property
    def screen(self) -> list[str]:
        """The lines of the last screenful."""
        last = self.all.rpartition(HOME)[2]
        return [line.rstrip() for line in _CONTROL.sub("", last).split("\n")]

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal larger or smaller; the program is told as a real one tells it."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen is so, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not holds(self.screen):
            assert time.monotonic() < deadline, "it shows:\n" + "\n".join(self.screen)
            assert self.process.poll() is None, f"it ended with {self.process.poll()}:\n{self.all}"
            self._read(0.2)
        return self.screen

    def end(self) -> int:
        """Wait for the end of the program and return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self._read(0.05)  # or it would wait for us to read
        return self.process.returncode

    def _read(self, wait: float) -> None:
        while select.select([self._descriptor], [], [], wait)[0]:
            self._seen += os.read(self._descriptor, 65536).decode(errors="replace")
            wait = 0


@contextmanager
def in_terminal(
    words: Sequence[str], environment: Mapping[str, str], *, columns: int = 110, lines: int = 20
) -> Iterator[Terminal]:
    """Run `semaphores` in a terminal while the block runs."""
    descriptor, side = pty.openpty()
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    sized = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "semaphores", *words],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**sized, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
    )
    try:
        yield Terminal(descriptor, side, process)
    finally:
        process.kill()
        process.wait()
        os.close(side)
        os.close(descriptor)
