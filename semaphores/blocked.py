"""Blocked: says in the log what a request waits for, once after 5 s and every 5 minutes after.

Invariant: it asks the server from a thread of its own, so that no beat is ever late for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from threading import Thread
from urllib.parse import unquote

from semaphores.errors import SemaphoresError
from semaphores.scripts.asking import number, rows, text
from semaphores.scripts.call import Answer
from semaphores.session.ledger import Awaiting, AwaitingRun
from semaphores.session.session import Session
from semaphores.wording import readable, seconds

__all__ = ["AGAIN", "FIRST", "BlockedLog"]

FIRST = 5.0  # seconds: what waits no longer is in order
AGAIN = 300.0  # seconds
LOOK = 1.0  # seconds between two looks: each goes through all that waits, and the keeper passes here with each grant
MOST = 3  # requests told of at once: a thousand that wait for one limit are one event
MOST_HOLDERS = 3

_log = logging.getLogger("semaphores")


class BlockedLog:
    """What one session waits for. `ask` is how a question gets to the server."""

    def __init__(self, session: Session, ask: Callable[[Mapping[str, object]], Answer]) -> None:
        self._session = session
        self._ask = ask
        self._next: dict[Awaiting, float] = {}  # when each that was told is told again
        self._thread: Thread | None = None
        self._looked = 0.0

    def look(self) -> None:
        """Tell of what has waited long enough; called at each turn of the thread that beats."""
        now = time.monotonic()
        if now - self._looked < LOOK or (self._thread is not None and self._thread.is_alive()):
            return
        self._looked = now
        waiting = [one for one in self._session.ledger.waiting() if not isinstance(one, AwaitingRun) and one.asked]
        self._next = {one: at for one in waiting if (at := self._next.get(one)) is not None}
        due = [one for one in waiting if self._next.get(one, one.asked + FIRST) <= now]
        if due:
            self._next |= dict.fromkeys(due, now + AGAIN)
            self._thread = Thread(target=self._tell, args=(due, now), name="semaphores-blocked", daemon=True)
            self._thread.start()

    def _tell(self, due: list[Awaiting], now: float) -> None:
        for request in due[:MOST]:
            try:
                answer = self._ask({"ask": "why", "id": f"{self._session.id}/{request.n}"})
            except SemaphoresError:  # whoever cannot reach the server hears of it elsewhere
                return
            blocking = next((one for one in rows(answer, "limits") if text(one, "state") != "free"), None)
            if request.outcome is None and blocking is not None:
                more = f" (and {len(due) - MOST} more requests wait)" if len(due) > MOST else ""
                holder, waited = unquote(request.holder), seconds(now - request.asked)
                about = {"limit": text(blocking, "limit")}
                _log.warning("%s has waited %s for %s%s", holder, waited, _limit(blocking), more, extra=about)


def _limit(row: Mapping[str, object]) -> str:
    """One limit as a line: `pool 'database': full, 5 of 5 slots held by …`."""
    name, capacity = readable(text(row, "limit") or ""), int(number(row, "capacity") or 0)
    used = int(number(row, "used") or 0)
    if capacity == 0:
        return f"{name}: paused"
    holders = [unquote(text(one, "name") or "") for one in rows(row, "holders")][:MOST_HOLDERS]
    by = f" by {', '.join(holders)}" if holders else ""
    rest = " and others" if len(rows(row, "holders")) > MOST_HOLDERS else ""
    return f"{name}: {used} of {capacity} slots held{by}{rest}"
