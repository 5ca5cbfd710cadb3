"""Peer: another process that waits for slots of pool `p`, keeps what it gets, and tells when it got it.

Run by itself: `python -m benchmarks.peer URL NAMESPACE WAITERS`. Moments are of CLOCK_MONOTONIC, one for all processes.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Self

from semaphores import Client, connect

__all__ = ["Peer", "command"]

_MOMENT = struct.Struct("d")


def command(url: str, namespace: str, waiters: int) -> list[str]:
    """Return what runs a peer."""
    return [sys.executable, "-m", "benchmarks.peer", url, namespace, str(waiters)]


class Peer:
    """A peer while the block runs."""

    def __init__(self, url: str, namespace: str, waiters: int) -> None:
        self._command = command(url, namespace, waiters)
        self._process: Process
        self._moments: asyncio.StreamReader

    async def __aenter__(self) -> Self:
        root = Path(__file__).parent.parent
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=PIPE, cwd=root)
        assert self._process.stdout is not None
        self._moments = self._process.stdout
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def next_arrival(self) -> float:
        """Return the moment at which its next slot arrived."""
        moment: float = _MOMENT.unpack(await self._moments.readexactly(_MOMENT.size))[0]
        return moment


async def _wait(client: Client, waiters: int) -> None:
    slots, for_ever = client.pool("p"), asyncio.Event()

    async def wait_once() -> None:
        async with slots:
            os.write(1, _MOMENT.pack(time.monotonic()))
            await for_ever.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(waiters):
            group.create_task(wait_once())


if __name__ == "__main__":
    asyncio.run(_wait(connect(sys.argv[1], namespace=sys.argv[2]), int(sys.argv[3])))
