"""Serving: a worker until it is told to end, and how it ends: drained, or its runs given back within two seconds.

Invariant: the slots of a run are given back only when nothing of its ops runs any more; what cannot be ended keeps
them until the process is gone.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

import psutil

from workers.cli.leaving import leave
from workers.worker import Worker

__all__ = ["SIGNALS", "abandon", "only_error", "serve"]

_log = logging.getLogger("workers")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
END_WITHIN = 1.0  # seconds that ops have to end when they are canceled; the whole exit takes two at most
KILLED_WITHIN = 0.5  # seconds that what was killed needs to be gone


async def serve(worker: Worker, *, drain_timeout: float | None, ready: Callable[[], None]) -> int:
    """Work until told to end; returns the exit code: 0 when drained, 128 + the signal when runs were given back.

    The first SIGTERM or SIGINT drains, for `drain_timeout` seconds at most; the second one cancels.
    """
    ending = _Ending(worker, drain_timeout)
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, ending.told, number)
    work = asyncio.create_task(worker.work())
    starts = asyncio.create_task(worker.ready.wait())
    stop = asyncio.create_task(ending.stop.wait())
    try:
        await asyncio.wait({work, starts, stop}, return_when=asyncio.FIRST_COMPLETED)
        if starts.done() and not stop.done():
            ready()
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            await abandon(worker, work, 128 + ending.number)
    finally:
        starts.cancel()
        stop.cancel()
    if work.cancelled():
        return 128 + ending.number
    work.result()
    return 0


class _Ending:
    """What was told of ending."""

    def __init__(self, worker: Worker, drain_timeout: float | None) -> None:
        self.worker, self.drain_timeout = worker, drain_timeout
        self.number = 0  # of the first signal
        self.stop = asyncio.Event()

    def told(self, number: int) -> None:
        if self.number:
            self._give_up("told to end again")
            return
        self.number = number
        if not self.worker.ready.is_set():
            self.stop.set()
            return
        self.worker.drain()
        runs = self.worker.runs
        waits = f"waits for {', '.join(runs)}; the next signal gives them back" if runs else "nothing is in progress"
        _log.info("draining: %s", waits)
        if self.drain_timeout is not None:
            asyncio.get_running_loop().call_later(
                self.drain_timeout, self._give_up, f"not drained after {self.drain_timeout:g} s"
            )

    def _give_up(self, why: str) -> None:
        if not self.stop.is_set():
            _log.warning("%s: %s back to their queues", why, ", ".join(self.worker.runs) or "nothing goes")
            self.stop.set()


async def abandon(worker: Worker, work: asyncio.Task[None], code: int) -> None:
    """Cancel a worker; what does not end by itself is killed. With an op that cannot be, the process ends here."""
    work.cancel()
    await asyncio.wait({work}, timeout=END_WITHIN)
    if not work.done():
        for child in psutil.Process().children(recursive=True):
            child.kill()
        await asyncio.wait({work}, timeout=KILLED_WITHIN)
    if not work.done():
        _log.warning("%s did not end: this process does", ", ".join(worker.runs) or "an op")
        leave(worker.connections, code)


def only_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error inside of groups of one; the group itself where there are several."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found
