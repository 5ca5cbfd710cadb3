"""Keyboard: single keys from a terminal, as names. The terminal is put back as it was, whatever ends the block."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keys_in", "next_keys", "single_keys"]

_NAMED = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[H": "home",
    "\x1b[F": "end",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[Z": "backtab",
    "\x1b": "escape",
    "\t": "tab",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}
_MOST = 1024  # bytes of one read: a pasted filter


@contextmanager
def single_keys() -> Iterator[int]:
    """Give the terminal on stdin, which tells each key at once and shows none, while the block runs."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield terminal
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def next_keys(terminal: int, wait: float) -> list[str] | None:
    """Return the keys that were pressed, after at most `wait` seconds; None when the terminal is gone."""
    ready, _, _ = select.select([terminal], [], [], wait)
    if not ready:
        return []
    data = os.read(terminal, _MOST)
    return keys_in(data.decode(errors="ignore")) if data else None


def keys_in(text: str) -> list[str]:
    """Return what a terminal sent as keys: characters as they are, the others by name; unknown ones are left out."""
    keys: list[str] = []
    at = 0
    while at < len(text):
        end = _end_of_key(text, at)
        key = _NAMED.get(text[at:end], text[at:end])
        if key in _NAMED.values() or key.isprintable():
            keys.append(key)
        at = end
    return keys


def _end_of_key(text: str, at: int) -> int:
    """An escape sequence goes on to its first letter or tilde."""
    if not text.startswith(("\x1b[", "\x1bO"), at):
        return at + 1
    end = at + 2
    while end < len(text) and not (text[end].isalpha() or text[end] == "~"):
        end += 1
    return min(end + 1, len(text))
