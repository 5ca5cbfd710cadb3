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

KNOWN = 1.2  # seconds until its neighbour's beat has told who else lives on this host
BEAT = 1.0  # seconds between beats while something waits: the kills are spread over it

FIGURES = (
    Figure(
        "regained",
        "SIGKILL of a holder to the next grant, ttl 10 s, p50",
        "s",
        "≤ 1.5",
        "the next beat of a process on that host (1 s apart while it waits), which finds the holder gone",
    ),
    Figure("worst", "the longest of them", "s", "≤ 1.5", "the same, just missed"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    kills = site.size.kills
    times = [_killed(site, KNOWN + BEAT * i / kills) for i in range(kills)]
    return {"regained": p50(times), "worst": max(times)}


def _killed(site: Site, after: float) -> float:
    """Return seconds from the kill to the grant; the kill is that long after the other began to wait."""
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
            time.sleep(after)
            killed = time.perf_counter()
        finally:
            holder.kill()
            holder.communicate()
        waiter.join()
    return granted[0] - killed


def _wait_once(client: Client, granted: list[float]) -> None:
    with client.pool("p"):
        granted.append(time.perf_counter())
