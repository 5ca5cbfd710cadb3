"""Desk: what all views and actions of one page share: the client, the settings, who looks, and what is remembered."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from semaphores.client import Client
from semaphores.ui.health import Health
from semaphores.ui.logs import Logs
from semaphores.ui.passes import Passes
from semaphores.ui.settings import PageSettings
from semaphores.ui.watch import Watch

__all__ = ["Desk"]

MOST_NOTES = 1000  # visitors with a message that they did not see yet


class Desk:
    """Everything behind one page."""

    def __init__(self, client: Client, settings: PageSettings) -> None:
        self.client = client
        self.settings = settings
        self.passes = Passes(settings.token)
        self.watch = Watch(client)
        self.health = Health(client)
        self.logs = Logs(client)
        self.streams = 0  # pages that are open and listen
        self.closing = False  # the server ends: streams do, too
        self._notes: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def note(self, visitor: str, text: str) -> None:
        """Leave a message for a visitor's next page."""
        with self._lock:
            self._notes[visitor] = text
            if len(self._notes) > MOST_NOTES:
                self._notes.popitem(last=False)

    def take_note(self, visitor: str) -> str | None:
        """Return the message for a visitor, once."""
        with self._lock:
            return self._notes.pop(visitor, None)
