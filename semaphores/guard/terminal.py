"""The terminal: lent to the command when it asks for it, taken back when it stops or ends.

The command runs in a process group of its own, so the shell does not know it. It starts in the background: one that
never touches the terminal leaves it to the rest of a pipeline (`exec -- produce | less`), and Ctrl-C comes by way of
the holder. Touching it stops the command (SIGTTIN, SIGTTOU); that is when it gets the terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

__all__ = ["Terminal"]

_ASKING = (signal.SIGTTIN, signal.SIGTTOU)
_STOP_TIME = 0.2  # seconds for our own SIGTSTP to arrive; where job control cannot stop us, it just passes


class Terminal:
    """The controlling terminal of this process."""

    def __init__(self, file: int) -> None:
        self._file, self._own, self._lent = file, os.getpgrp(), False

    @classmethod
    def open(cls) -> Terminal | None:
        """Return the controlling terminal, or None where there is none."""
        try:
            return cls(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
        except OSError:
            return None

    def close(self) -> None:
        """Take the terminal back for good."""
        self._take_back()
        os.close(self._file)

    def answer_stop(self, group: int, number: int) -> None:
        """Act on the stop of the command by signal `number`; afterwards it is to be continued."""
        if number in _ASKING and self._lend(group):
            return
        was_lent = self._take_back()
        _stop_own_job(number if number in _ASKING else signal.SIGTSTP)
        if was_lent or number in _ASKING:
            self._lend(group)

    def _lend(self, group: int) -> bool:
        """Give the terminal to the command if it is ours to give. Return whether the command has it."""
        with contextlib.suppress(OSError):
            holder = os.tcgetpgrp(self._file)
            if holder == self._own:
                os.tcsetpgrp(self._file, group)
                self._lent = True
            return holder in (self._own, group)
        return False

    def _take_back(self) -> bool:
        if not self._lent:
            return False
        self._lent = False
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])  # or we would be stopped for asking
        try:
            with contextlib.suppress(OSError):  # hung up, or the command's group is the last one it will ever have
                os.tcsetpgrp(self._file, self._own)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return True


def _stop_own_job(number: int) -> None:
    """Stop this process and what the shell started with it, as the terminal would have; return when continued."""
    before = None
    with contextlib.suppress(ValueError):  # not the main thread: there the handler is not ours either
        before = signal.signal(number, signal.SIG_DFL)
    os.killpg(os.getpgrp(), number)
    # The signal may reach another thread first, so wait for it to stop us all. An orphaned group (no shell to continue
    # it) is never stopped, so nothing else could be waited for.
    time.sleep(_STOP_TIME)
    if before is not None:
        signal.signal(number, before)
