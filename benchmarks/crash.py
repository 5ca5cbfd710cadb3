"""Crash: a holder is killed (SIGKILL) while another process of the same host waits for its slot."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Figure, Site, p50
from benchmarks.peer import command
from semaphores import Client

FIGURES = (
    Figure(
        "regained",
        "SIGKILL of a holder to the next grant, ttl 10 s",
        "s",
        "≤ 1.5",
        "the next beat of a process on that host (1 s apart while it waits), which finds the holder gone",
    ),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    return {"regained": p50([_killed(site) for _ in range(site.size.kills)])}


def _killed(site: Site) -> float:
    with site.client(p=1) as client:
        words = command(site.server.url, client.connections.namespace, 1)
        holder = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
        try:
            assert holder.stdout is not None
            holder.stdout.read(1)  # it has the slot
            granted: list[float] = []
            waiter = threading.Thread(target=_wait_once, args=(client, granted))
            waiter.start()
            while client.limits.get("pool:p").waiting < 1:
                time.sleep(0.02)  # the set-up of a figure, not a part of it
            time.sleep(1.2)  # its neighbour knows it from its beat: a crash is no earlier in life than that
            killed = time.perf_counter()
        finally:
            holder.kill()
            holder.communicate()
        waiter.join()
    return granted[0] - killed


def _wait_once(client: Client, granted: list[float]) -> None:
    with client.pool("p"):
        granted.append(time.perf_counter())
