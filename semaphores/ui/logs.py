"""Logs: lines of runs' logs as far as they were read: a page that is open asks for what is new only."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from semaphores.client import Client
from semaphores.runs import LogEntry

__all__ = ["Logs"]

MOST_RUNS = 20  # whose logs are remembered
MOST_LINES = 10_000  # of one run: as many as the server keeps, or so
PAGE = 1000


class Logs:
    """Logs of the runs that were looked at last."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: OrderedDict[str, list[LogEntry]] = OrderedDict()
        self._lock = Lock()

    def of(self, run: str) -> tuple[LogEntry, ...]:
        """Return a run's log. Raises NotFound, ServerError."""
        with self._lock:
            lines = self._known.pop(run, [])
            try:
                found = self._client.runs.log(run, lines[-1].id if lines else None, PAGE)
                lines += found
                while len(found) == PAGE:
                    found = self._client.runs.log(run, lines[-1].id, PAGE)
                    lines += found
                del lines[:-MOST_LINES]
            finally:
                self._known[run] = lines
                if len(self._known) > MOST_RUNS:
                    self._known.popitem(last=False)
            return tuple(lines)
