"""Traffic under faults: whatever happens, nobody believes too much, and work goes on.

Each test runs for a few seconds; the same with more of everything for a minute is marked `faults`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.faults.nemesis import grants_after, repeatedly, verdict
from tests.faults.proxy import Proxy
from tests.faults.traffic import Traffic, client_of, wait_until, working
from tests.servers import NOT_READY, Server, start_server

T = 2.0
LIMITS = {"pool:db": 1, "pool:api": 3}
FINE = {"done"}  # how an acquire may end when nothing is to be noticed
ROUGH = {"done", "LeaseLost", "AcquireTimeout", "ServerUnavailable"}


def crowd(url: str, folder: Path, *, ttl: float = T, timeout: float = 8.0) -> list[Traffic]:
    """Threads, asyncio tasks and trio tasks, a process each."""
    return [
        Traffic(url, "n", str(folder), ttl, ("db", "api"), holders=3, how=how, timeout=timeout)
        for how in ("threads", "asyncio", "trio")
    ]


def settled(server: Server) -> None:
    """Wait until nothing is held or waits: what was killed is back, what was cut off gave up."""
    with client_of(server.url, "n", T, init=False) as client:
        wait_until("all is back", lambda: not client.leases() and not client.requests(), 3 * T + 3)


def run(
    server: Server, url: str, folder: Path, fault: Callable[[], object], allowed: set[str], least: int = 50
) -> None:
    """Let the crowd work, do the fault, let it work on, and judge."""
    with client_of(server.url, "n", T, db=1, api=3), working(*crowd(url, folder)):
        wait_until("all work", lambda: grants_after(folder, 0.0) > 20, 20)
        fault()
        moment = time.monotonic()
        wait_until("work goes on", lambda: grants_after(folder, moment) > 20, 3 * T + 8)
    _, outcomes = verdict(folder, LIMITS, least=least)
    assert set(outcomes) <= allowed, outcomes
    settled(server)


def test_libraries_flushed_every_50_ms_are_not_noticed(tmp_path: Path) -> None:
    """Row 34."""
    with start_server() as server, server.client() as raw:
        run(server, server.url, tmp_path, lambda: repeatedly(raw.function_flush, 0.05, 2.0), FINE)


def test_connections_killed_every_100_ms_cost_time_and_nothing_else(tmp_path: Path) -> None:
    """Row 26."""
    with start_server() as server, server.client() as raw:

        def kill() -> None:
            for kind in ("normal", "pubsub"):
                raw.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

        run(server, server.url, tmp_path, lambda: repeatedly(kill, 0.1, 2.0), FINE)


def test_replies_lost_after_execution_are_one_grant_each(tmp_path: Path) -> None:
    """Row 19, over and over."""
    with start_server() as server, Proxy(server.port) as proxy:
        run(server, proxy.url, tmp_path, lambda: repeatedly(proxy.reset_after_next_reply, 0.05, 2.0), FINE)


@pytest.mark.faults
def test_a_killed_server_with_its_file_costs_a_grace(tmp_path: Path) -> None:
    """Row 28 under load."""
    with start_server(appendonly=True) as server:

        def crash() -> None:
            server.kill()
            server.start()

        run(server, server.url, tmp_path, crash, ROUGH)


def test_a_wiped_server_never_admits_too_many(tmp_path: Path) -> None:
    """Row 32 under load; limits come back from those who hold, so somebody must hold: a slow holder of each."""
    with start_server() as server, server.client() as raw, client_of(server.url, "n", T, db=1, api=3) as client:
        client.limits.set("pool:db", 2)
        with client.pool("db"), client.pool("api"):
            wait_until("its limits are known", lambda: len(client.connections.session.capacities.limits) == 2)
            for traffic in crowd(server.url, tmp_path):
                assert traffic.ttl == T
            with working(*crowd(server.url, tmp_path)):
                wait_until("all work", lambda: grants_after(tmp_path, 0.0) > 20, 20)
                for _ in range(2):
                    raw.flushall()
                    moment = time.monotonic()
                    wait_until("work goes on", lambda moment=moment: grants_after(tmp_path, moment) > 20, 4 * T + 8)
    verdict(tmp_path, {"pool:db": 1, "pool:api": 2}, least=50)


def test_a_frozen_server_stops_holders_by_their_deadline(tmp_path: Path) -> None:
    """Row 35 under load."""
    with start_server() as server:

        def freeze() -> None:
            server.freeze()
            time.sleep(2 * T)
            server.thaw()

        run(server, server.url, tmp_path, freeze, ROUGH)


def test_processes_frozen_and_killed_never_overlap_with_those_who_follow(tmp_path: Path) -> None:
    """Rows 1, 5 and 6 under load."""
    with start_server() as server, client_of(server.url, "n", T, db=1, api=3):
        with working(*crowd(server.url, tmp_path)) as workers:
            wait_until("all work", lambda: grants_after(tmp_path, 0.0) > 20, 20)
            for worker, pause in zip(workers, (T / 3, 1.3 * T, T), strict=True):
                worker.freeze()
                time.sleep(pause)
                worker.thaw()
            workers[0].kill()
            moment = time.monotonic()
            wait_until("the others go on", lambda: grants_after(tmp_path, moment) > 20, 10)
        _, outcomes = verdict(tmp_path, LIMITS, least=50)
        assert set(outcomes) <= ROUGH, outcomes
        settled(server)


def test_limits_raised_and_lowered_under_load_hold_at_the_time_of_the_grant(tmp_path: Path) -> None:
    """Row 55: never more than the highest capacity of late, and lowering kills nobody."""
    with start_server() as server, client_of(server.url, "n", T, db=1, api=3) as client:
        with working(*crowd(server.url, tmp_path)):
            wait_until("all work", lambda: grants_after(tmp_path, 0.0) > 20, 20)
            repeatedly(lambda: client.limits.set("pool:db", random.choice((1, 2, 4))), 0.05, 2.0)
            client.limits.set("pool:db", 1)
            lowered = time.monotonic()
            time.sleep(1.0)
        beliefs, outcomes = verdict(tmp_path, {"pool:db": 4, "pool:api": 3}, least=50)
        assert set(outcomes) <= FINE, outcomes
        from tests.faults.belief import over_admitted

        late = [belief for belief in beliefs if belief.start > lowered + 0.2]
        assert not over_admitted(late, {"pool:db": 1, "pool:api": 3})


@pytest.mark.faults
def test_a_network_that_fails_in_every_way_in_turn(tmp_path: Path) -> None:
    """Rows 2, 20 to 22, 24 and 25 under load: held, delayed, dropped one way and both, and cut."""
    with start_server() as server, Proxy(server.port) as proxy:

        def faults() -> None:
            _delayed(proxy)
            for switch in ("hold_replies", "hold_requests", "drop_replies", "drop_requests"):
                setattr(proxy, switch, True)
                time.sleep(random.uniform(0.2, 0.8) * T)
                setattr(proxy, switch, False)
                if switch.startswith("drop"):
                    proxy.cut()
                time.sleep(0.4)

        run(server, proxy.url, tmp_path, faults, ROUGH)


def _delayed(proxy: Proxy) -> None:
    proxy.delay_replies = 0.1
    time.sleep(0.7)
    proxy.delay_replies = 0.0


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
def test_a_random_mix_of_faults_for_a_minute(tmp_path: Path, seed: int) -> None:
    """Row 58. The seed chooses the order; the verdict is the same for all."""
    chosen = random.Random(seed)
    with start_server(appendonly=True) as server, Proxy(server.port) as proxy:
        with client_of(server.url, "n", T, db=1, api=3), server.client() as raw:
            with working(*crowd(proxy.url, tmp_path), *crowd(server.url, tmp_path)) as workers:
                until = time.monotonic() + 60
                while time.monotonic() < until:
                    _one_fault(chosen, server, proxy, raw, workers)
                    time.sleep(chosen.uniform(0.1, 1.0))
                moment = time.monotonic()
                wait_until("work goes on", lambda: grants_after(tmp_path, moment) > 20, 4 * T + 10)
        _, outcomes = verdict(tmp_path, LIMITS, least=200)
        assert set(outcomes) <= ROUGH, outcomes
        settled(server)


def _one_fault(chosen: random.Random, server: Server, proxy: Proxy, raw: redis.Redis, workers: list) -> None:  # type: ignore[type-arg]
    pause = chosen.uniform(0.05, 1.5) * T

    def switch(name: str) -> None:
        setattr(proxy, name, True)
        time.sleep(pause)
        setattr(proxy, name, False)
        proxy.cut()

    def pause_worker() -> None:
        worker = chosen.choice(workers)
        worker.freeze()
        time.sleep(pause)
        worker.thaw()

    def pause_server() -> None:
        server.freeze()
        time.sleep(pause)
        server.thaw()

    def crash() -> None:
        server.kill()
        server.start()

    def quietly(what: Callable[[], object]) -> None:
        try:
            what()
        except NOT_READY:
            return

    chosen.choice(
        [
            lambda: switch("hold_replies"),
            lambda: switch("drop_replies"),
            lambda: switch("drop_requests"),
            lambda: switch("hold_requests"),
            proxy.reset_after_next_reply,
            proxy.cut,
            pause_worker,
            pause_server,
            crash,
            lambda: quietly(raw.function_flush),
        ]
    )()
