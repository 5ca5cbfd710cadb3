"""Watch: one look at all limits for everybody who has the page open, and the memory of the last hour.

Where a look is cheap, whoever opens a page gets a new one. Where it is not, they get the last one, at most some seconds
old: a thread looks as often as somebody watches them, at most a fifth of its time, and every ten seconds otherwise.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from threading import Event, Lock, Thread

from semaphores.client import Client
from semaphores.errors import SemaphoresError, ServerError
from semaphores.status import LimitStatus
from semaphores.ui.history import History, Moment

__all__ = ["Sight", "Watch"]

_log = logging.getLogger("semaphores.ui")

IDLE = 10.0  # seconds between two looks while nobody watches: three in each step of the history
SOONEST = 0.2  # seconds between two looks
SHARE = 4.0  # times as long as a look took is nobody looked
CHEAP = 1000  # limits: to look at as many takes some 50 ms, which a page that is being opened may take
OLDEST = 15.0  # seconds: an older sight is not shown; the visitor waits for a new one


@dataclass(frozen=True, slots=True)
class Sight:
    """All limits as they were at a time of the monotonic clock."""

    limits: tuple[LimitStatus, ...]
    at: float


class Watch:
    """Looks at a namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._history = History()
        self._sight: Sight | None = None
        self._took = 0.0  # seconds, the last look
        self._look_lock, self._lock = Lock(), Lock()
        self._wanted, self._over = Event(), Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Look once, so that no visitor waits for the first look, and begin to look again and again."""
        with contextlib.suppress(ServerError):  # visitors are told
            self._look(asked=time.monotonic())
        self._thread = Thread(target=self._keep_looking, name="semaphores-ui-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def limits(self, age: float = 0.0) -> tuple[LimitStatus, ...]:
        """Return all limits, by name, as they were at most `age` seconds ago. Raises ServerError.

        Where a look is not cheap they are older, and a newer look is on its way.
        """
        sight, now = self._sight, time.monotonic()
        if sight is None or now - sight.at > OLDEST or (now - sight.at > age and len(sight.limits) <= CHEAP):
            sight = self._look(asked=now)
        if len(sight.limits) > CHEAP:
            self._wanted.set()
        return sight.limits

    def stale(self) -> None:
        """Look anew before anything is shown: something was changed here."""
        self._sight = None

    def history(self, limit: str) -> tuple[Moment, ...]:
        """Return the last hour of a limit, as far as this process saw it."""
        with self._lock:
            return self._history.of(limit, time.time())

    def _look(self, asked: float) -> Sight:
        with self._look_lock:
            sight = self._sight
            if sight is not None and sight.at >= asked:  # somebody looked while we waited
                return sight
            begun = time.monotonic()
            found = self._client.status()
            self._sight = sight = Sight(found, begun)
            self._took = time.monotonic() - begun
            with self._lock:
                self._history.note(time.time(), found)
            return sight

    def _keep_looking(self) -> None:
        while not self._over.is_set():
            try:
                self._look(asked=time.monotonic())
            except SemaphoresError as error:
                _log.warning("the limits cannot be read: %s", error)
            except Exception:  # noqa: BLE001 - whatever it is, the next look may work
                _log.exception("the limits cannot be read")
            if self._over.wait(max(SOONEST, SHARE * self._took)):
                return
            self._wanted.wait(IDLE)
            self._wanted.clear()
