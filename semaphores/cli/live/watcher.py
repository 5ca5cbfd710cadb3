"""Watcher: a thread that reads what is shown, so that keys are answered while a server is slow or away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from semaphores.cli.status import matters
from semaphores.client import Client
from semaphores.errors import SemaphoresError
from semaphores.runs.views import IN_PROGRESS
from semaphores.status import NamespaceView

__all__ = ["Seen", "Watcher"]

MOST_RUNS = 1000  # of a status
LEAVING = 1.0  # seconds for a question that is under way when the view is left


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a namespace: the rows of one view, and what stands above them."""

    view: str
    rows: Sequence[object] = ()
    namespace: NamespaceView | None = None
    counts: Mapping[str, int] | None = None  # runs by status
    error: str | None = None  # why there is nothing newer than what was seen last


class Watcher:
    """Reads the wanted view again and again."""

    def __init__(self, client: Client, view: str, every: float) -> None:
        self.seen = Seen(view)
        self._client, self._view, self._every = client, view, every
        self._changed = Condition()
        self._left = False
        self._thread = Thread(target=self._watch, name="top", daemon=True)
        self._thread.start()

    def want(self, view: str) -> None:
        """Read this view from now on, at once if it is another one."""
        with self._changed:
            if view != self._view:
                self._view = view
                self._changed.notify()

    def leave(self) -> None:
        """End the thread, or leave it behind where the server does not answer."""
        with self._changed:
            self._left = True
            self._changed.notify()
        self._thread.join(LEAVING)

    def _watch(self) -> None:
        while not self._left:
            view = self._view
            self.seen = self._look(view)
            with self._changed:
                if self._view == view and not self._left:
                    self._changed.wait(self._every)

    def _look(self, view: str) -> Seen:
        try:
            counts = self._client.runs.counts()
            return Seen(view, self._rows(view), self._client.namespace(), counts)
        except SemaphoresError as error:
            last = self.seen if self.seen.view == view else Seen(view)
            return Seen(view, last.rows, self.seen.namespace, self.seen.counts, str(error))

    def _rows(self, view: str) -> Sequence[object]:
        client = self._client
        if view == "limits":
            return [limit for limit in client.status() if matters(limit)]
        if view == "workers":
            return client.runs.workers()
        if view == "sessions":
            return client.sessions()
        return [run for status in IN_PROGRESS for run in client.runs.list(status, most=MOST_RUNS)]
