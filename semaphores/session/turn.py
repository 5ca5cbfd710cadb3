"""Turn: how one thread waits at the port that all threads of a process share. Nothing here writes or reads.

Invariant: the gate opens for the answer and for the lead, whichever comes first; both may come.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from semaphores.scripts.call import Answer
from semaphores.session.ledger import Pending
from semaphores.session.session import Sent

__all__ = ["Turn", "awaited"]


class Turn:
    """One thread's wait for its answer, or for its turn to write and read for all."""

    __slots__ = ("_deliver", "_wake", "answered", "gate", "leads")

    def __init__(self, pending: Pending, wake: Callable[[Turn], None]) -> None:
        self.gate = Lock()
        self.gate.acquire()
        self.answered = False
        self.leads = False
        self._wake = wake
        self._deliver: Callable[[Answer], None] | None = pending.deliver
        pending.deliver = self.deliver

    def deliver(self, answer: Answer) -> None:
        """Take the answer, from any thread."""
        deliver, self._deliver = self._deliver, None  # no cycle stays for the garbage collector
        if deliver is not None:
            deliver(answer)
        self.answered = True
        self._wake(self)

    def open(self) -> None:
        """Let the thread go on: its answer is there, or its turn; from any thread, and both may come."""
        try:  # noqa: SIM105 (once a pair and thread: a context manager costs as much as the release)
            self.gate.release()
        except RuntimeError:  # it is open
            pass


def awaited(sent: Sent) -> bool:
    """Return whether anybody waits for the reply to a call."""
    return any(item.deliver is not None for item in sent.items)
