"""Health: what `doctor` says, found in the background: it walks everything that is stored; nobody waits for that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, Thread

from semaphores.client import Client
from semaphores.doctor import Finding
from semaphores.errors import SemaphoresError

__all__ = ["Examined", "Health"]

FRESH = 60.0  # seconds that a result is shown before the next examination
SHARE = 20.0  # times as long as an examination took is none made


@dataclass(frozen=True, slots=True)
class Examined:
    """What the last examination found; `trouble`: why it could not be made."""

    at: datetime
    findings: tuple[Finding, ...]
    took: float  # seconds
    trouble: str | None = None


class Health:
    """The last examination, made anew when somebody looks and it is old."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = Lock()
        self._last: Examined | None = None
        self._made = 0.0  # monotonic
        self._running = False

    def latest(self) -> tuple[Examined | None, bool]:
        """Return the last examination, and whether a new one is on its way."""
        with self._lock:
            old = self._last is None or time.monotonic() - self._made > max(FRESH, SHARE * self._last.took)
            if old and not self._running:
                self._running = True
                Thread(target=self._examine, name="semaphores-ui-doctor", daemon=True).start()
            return self._last, self._running

    def _examine(self) -> None:
        begun, trouble = time.monotonic(), None
        found: tuple[Finding, ...] = ()
        try:
            found = self._client.examine()
        except SemaphoresError as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - shown; the page goes on
            trouble = f"{type(error).__name__}: {error}"
        with self._lock:
            now = time.monotonic()
            self._last = Examined(datetime.now(UTC), found, now - begun, trouble)
            self._made, self._running = now, False
