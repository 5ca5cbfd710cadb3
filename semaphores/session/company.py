"""Company: processes besides ours that work on this session's leases, as guards of commands do. Pure but for /proc.

Invariant: while the server may not know all of them, it knows none of us: then nobody of this host takes the end of
some for the end of all, and the session ends by its T alone.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from semaphores.session.process import my_pids, pid_word

__all__ = ["Company"]

LONGEST = 4000  # bytes that the server takes; of more processes it is told nothing


class Company:
    """Who works for a session. `number` rises with each change, so that an old list never replaces a newer one."""

    def __init__(self) -> None:
        self.number = 0  # of changes; 0: it never had any
        self._words: dict[int, str] = {}
        self._expected = False
        self._told = 0
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<Company of {len(self._words)}, change {self.number}, {self._told} told>"

    def expect(self) -> None:
        """Note that a process will join at any moment: until it did, nothing is certain."""
        with self._lock:
            self._expected, self.number = True, self.number + 1

    def join(self, pid: int, told: Callable[[], None] | None = None) -> None:
        """Note that a child of ours works for us; `told` is called, from any thread, when the server knows."""
        word = pid_word(pid)
        with self._lock:
            self._expected, self.number = False, self.number + 1
            self._words[pid] = word
            if told is not None:
                self._waiting.append((self.number, told))

    def leave(self, pid: int) -> None:
        """Note that nothing is left of what it did."""
        with self._lock:
            if self._words.pop(pid, None) is not None:
                self.number += 1

    def list(self) -> tuple[str, int]:
        """Return `PID:STARTED` words of all of us, or nothing where that is not certain, and the number of the list."""
        with self._lock:
            words = [my_pids(), *self._words.values()]
            text = "" if self._expected or not all(words) else " ".join(words)
            return text if len(text) <= LONGEST else "", self.number

    def heard(self, number: int) -> None:
        """Note that the server knows the list of that number."""
        with self._lock:
            self._told = max(self._told, number)
            woken = [told for of, told in self._waiting if of <= self._told]
            self._waiting = [(of, told) for of, told in self._waiting if of > self._told]
        for told in woken:
            told()
