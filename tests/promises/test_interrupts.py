"""Interrupts: Ctrl-C between any two steps of an acquire and a release loses no slot, and those who follow go on.

Python looks for signals where a function is entered and where one of C returns: an interrupt comes at each of these.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

import semaphores
from semaphores import Client, connect
from semaphores.lease import chain
from tests.faults.traffic import client_of, wait_until
from tests.servers import Server

T = 1.0
HERE = str(Path(semaphores.__file__).parent)


class Interrupt:
    """Raises KeyboardInterrupt at the point of that number, in this thread."""

    def __init__(self, point: int) -> None:
        self.left = point
        self.where: str | None = None

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event not in ("call", "c_return") or not code.co_filename.startswith(HERE):
            return
        if event == "call" and code.co_name in ("__exit__", "<genexpr>"):
            return  # nothing can guard the entry of an exit; and a generator that is thrown away swallows it
        self.left -= 1
        if self.left == 0:
            sys.setprofile(None)
            self.where = f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name} ({event})"
            raise KeyboardInterrupt


def interrupted(client: Client, point: int) -> str | None:
    """Acquire and release, interrupted at that point; returns where that was, None past the last one."""
    interrupt = Interrupt(point)
    sys.setprofile(interrupt)
    with suppress(KeyboardInterrupt):
        try:
            with client.pool("db", timeout=5):
                pass
        finally:
            sys.setprofile(None)
    chain.set(())
    return interrupt.where


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("first", range(8))
def test_an_interrupt_at_any_step_leaves_no_lease_and_stops_nobody(server: Server, namespace: str, first: int) -> None:
    """Row 13. Each run takes every eighth point."""
    with client_of(server.url, namespace, T, db=1) as watching:
        point = first + 1
        while True:
            with connect(server.url, namespace=namespace, ttl=T) as client:
                with client.pool("db", timeout=5):
                    pass
                where = interrupted(client, point)
                if where is None:
                    break
                started = time.monotonic()
                with client.pool("db", timeout=5) as lease:
                    lease.guard()
                assert time.monotonic() - started <= T + 1.0, where
                wait_until(f"nothing is left of {where}", lambda: not watching.leases(), T + 1.0)
            point += 8
        assert point > 100, "nothing was interrupted"
