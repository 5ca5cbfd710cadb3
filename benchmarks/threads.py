"""Threads: the same figures for synchronous callers, against redis-py's synchronous client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import redis

from benchmarks.measure import BARE, Figure, Site, micros, p50
from semaphores import Client

WAITERS = 64

FIGURES = (
    Figure("trip", "bare EVALSHA through redis-py (RTT)", "µs", bound="what the ratios are against"),
    Figure(
        "pair",
        "acquire + release, p50",
        "× RTT",
        "≤ 1.6",
        "the acquire waits behind the release that was written before it",
    ),
    Figure("bare", "50 threads, two bare EVALSHA each", "pairs/s", bound="the interpreter's lock"),
    Figure("ratio", "50 threads, acquire + release, against bare", "×", "≥ 2.5", "waking threads, and that lock"),
    Figure("handoff", "hand-off, 64 waiting threads, p50", "× RTT", "≤ 2.5", "two or three wake-ups of threads"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    with site.client(p=site.size.tasks, line=1) as client, site.bare() as plain:
        sha = str(plain.script_load(BARE))
        before = _trip(plain, sha, site.size.pairs)
        pair = p50(_pairs(client, site.size.pairs))
        between = _trip(plain, sha, site.size.pairs)
        handoff = p50([time for _ in range(site.size.drains // 3 + 1) for time in _drained(client)])
        after = _trip(plain, sha, site.size.pairs)
        each = max(2, site.size.pairs_of_tasks // 5)
        bare_before = _bare(plain, sha, site.size.tasks, each)
        rate = _grouped(client, site.size.tasks, each)
        bare = (bare_before + _bare(plain, sha, site.size.tasks, each)) / 2
    return {
        "trip": micros(between),
        "pair": pair / ((before + between) / 2),
        "bare": bare,
        "ratio": rate / bare,
        "handoff": handoff / ((between + after) / 2),
    }


def _trip(plain: redis.Redis, sha: str, count: int) -> float:
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        plain.evalsha(sha, 0)
        times.append(time.perf_counter() - begun)
    return p50(times)


def _pairs(client: Client, count: int) -> list[float]:
    slots, times = client.pool("p"), []
    for _ in range(count):
        begun = time.perf_counter()
        with slots:
            pass
        times.append(time.perf_counter() - begun)
    return times


def _in_threads(count: int, work: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def _timed(count: int, work: Callable[[], None]) -> float:
    """Return seconds that threads need for some work, from the moment that all are there."""
    gate = threading.Barrier(count + 1)

    def at_once() -> None:
        gate.wait()
        work()

    threads = _in_threads(count, at_once)
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun


def _bare(plain: redis.Redis, sha: str, threads: int, each: int) -> float:
    def work() -> None:
        for _ in range(2 * each):
            plain.evalsha(sha, 0)

    return threads * each / _timed(threads, work)


def _grouped(client: Client, threads: int, each: int) -> float:
    slots = client.pool("p")

    def work() -> None:
        for _ in range(each):
            with slots:
                pass

    return threads * each / _timed(threads, work)


def _drained(client: Client) -> list[float]:
    """Let a line of one-shot waiters go through, one after another."""
    slots, times, left = client.pool("line"), [], 0.0

    def wait_once() -> None:
        nonlocal left
        with slots:
            times.append(time.perf_counter() - left)
            left = time.perf_counter()

    with slots:
        threads = _in_threads(WAITERS, wait_once)
        while client.limits.get("pool:line").waiting < WAITERS:
            time.sleep(0.01)  # the set-up of a figure, not a part of it
        left = time.perf_counter()
    for thread in threads:
        thread.join()
    return times
