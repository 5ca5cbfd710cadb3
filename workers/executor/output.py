"""Output: what a child process prints, line by line: to the run's log, and to where this process's own errors go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Output", "Tell", "silent"]

Tell: TypeAlias = Callable[[str, str], None]  # kind, line
_LONGEST_LINE = 1 << 16  # bytes; an op that prints no line break is cut
_MOST_READS = 16  # in a row, 1 MiB: something that it left running may print without end


def silent(kind: str, text: str) -> None:
    """Tell nobody: nothing runs that a line could belong to."""


class Output:
    """The read end of a pipe that is a child's standard output and error. `tell` may be exchanged."""

    def __init__(self, file: int, loop: asyncio.AbstractEventLoop) -> None:
        self.tell: Tell = silent
        self._file, self._loop = file, loop
        self._rest = b""  # a line not wholly read
        self._open = True
        os.set_blocking(file, False)
        loop.add_reader(file, self._read)

    def drain(self) -> None:
        """Pass on all that was printed until now."""
        for _ in range(_MOST_READS):
            if not self._read():
                break
        if self._rest:
            self._pass_on(self._rest)
            self._rest = b""

    def close(self) -> None:
        """Pass on what is left, and read no more."""
        if self._open:
            self.drain()
            self._open = False
            self._loop.remove_reader(self._file)
            os.close(self._file)

    def _read(self) -> bool:
        """Read once. Return whether there may be more."""
        if not self._open:
            return False
        try:
            came = os.read(self._file, _LONGEST_LINE)
        except BlockingIOError:
            return False
        if not came:
            self._loop.remove_reader(self._file)
            return False
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) > _LONGEST_LINE:
            self._pass_on(self._rest)
            self._rest = b""
        return True

    def _pass_on(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.tell("OUTPUT", text)
        with contextlib.suppress(OSError, ValueError):  # closed: the run's log has it
            sys.stderr.write(text + "\n")
