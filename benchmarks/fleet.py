"""Fleet: another process that is a worker of one async op, and tells when that op starts.

Run by itself: `python -m benchmarks.fleet URL NAMESPACE SEATS`. Moments are of CLOCK_MONOTONIC, one for all processes.
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

from semaphores import connect
from workers import job, op
from workers.definitions import Location
from workers.worker import Worker, WorkerSettings

__all__ = ["WorkerProcess", "location_of"]

_MOMENT = struct.Struct("d")
_READY = b"\x01" * _MOMENT.size


def location_of(told: int | None = None) -> Location:
    """Return a location of one job, `etl`, of one async op that does nothing, or writes when it starts."""

    @op
    async def extract() -> None:
        if told is not None:
            os.write(told, _MOMENT.pack(time.monotonic()))

    @job(ops=[extract])
    def etl() -> None: ...

    return Location("bench", {"etl": etl})


class WorkerProcess:
    """A worker in a process of its own while the block runs; entered, it is ready."""

    def __init__(self, url: str, namespace: str, seats: int = 1) -> None:
        self._command = [sys.executable, "-m", "benchmarks.fleet", url, namespace, str(seats)]
        self._process: Process
        self._moments: asyncio.StreamReader

    async def __aenter__(self) -> Self:
        root = Path(__file__).parent.parent
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=PIPE, cwd=root)
        assert self._process.stdout is not None
        self._moments = self._process.stdout
        assert await self._moments.readexactly(_MOMENT.size) == _READY
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def next_start(self) -> float:
        """Return the moment at which its next op started."""
        moment: float = _MOMENT.unpack(await self._moments.readexactly(_MOMENT.size))[0]
        return moment


async def _work(url: str, namespace: str, seats: int) -> None:
    worker = Worker(location_of(1), connect(url, namespace=namespace).connections, WorkerSettings(concurrency=seats))
    working = asyncio.create_task(worker.work())
    await worker.ready.wait()
    os.write(1, _READY)
    await working


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
