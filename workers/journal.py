"""Journal: what the ops of one run are at, and lines for its log, gathered until a command carries them.

Whatever is told within a moment goes out together; what a start or a finish can carry needs no call of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from semaphores.scripts.run_commands import Entry
from workers.executor.protocol import LogLine, OpEvent

__all__ = ["Journal"]

MOST_TEXT = 2000  # characters of one line of a log
MOST_PENDING = 500  # lines that wait for a call; what a run says beyond them in one moment is dropped, and counted


@dataclass(slots=True)
class Journal:
    """`wanted` is called when something waits to be told, once until it was taken."""

    wanted: Callable[[], None]
    _ops: dict[str, str] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _order: dict[str, int] = field(default_factory=dict)  # in which ops were first heard of
    _dropped: int = 0

    def note(self, event: OpEvent | LogLine) -> None:
        """Take in an event or a line. Cheap; called from the worker's loop."""
        if not self._ops and not self._entries:
            self.wanted()
        if isinstance(event, OpEvent):
            self._note_op(event)
        elif len(self._entries) < MOST_PENDING:
            at = str(int(time.time() * 1000))
            self._entries.append(("at", at, "op", event.op, "kind", event.kind, "text", _line(event.text)))
        else:
            self._dropped += 1

    def _note_op(self, event: OpEvent) -> None:
        at, order = int(time.time() * 1000), self._order.setdefault(event.op, len(self._order))
        line = f"{event.status} since={at} order={order} attempt={event.attempt}"
        if event.limit is not None:
            line += f" limit={event.limit}"
        text = _line(event.text)
        self._ops[event.op] = f"{line} text={text}" if text else line
        told = f"waits for {event.limit}" if event.limit is not None and not text else text
        self._entries.append(("at", str(at), "op", event.op, "kind", event.status, "text", told))

    def take(self) -> tuple[dict[str, str] | None, list[Entry] | None]:
        """Return what there is to tell, and forget it."""
        ops, entries = self._ops, self._entries
        if self._dropped:
            entries.append(
                ("op", "", "kind", "WARNING", "text", f"{self._dropped} lines came too fast and were dropped")
            )
        self._ops, self._entries, self._dropped = {}, [], 0
        return ops or None, entries or None


def _line(text: str) -> str:
    """One line, as the server keeps it: it refuses line breaks and what is endless."""
    line = text if "\n" not in text and "\r" not in text and "\0" not in text else _flat(text)
    return line if len(line) <= MOST_TEXT else line[: MOST_TEXT - 1] + "…"


def _flat(text: str) -> str:
    return " ⏎ ".join(text.replace("\0", "").splitlines())
