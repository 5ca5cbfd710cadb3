"""The exporter: bounded however much there is, counting what happens here, and of no harm when the server is away."""

from __future__ import annotations

import threading
import time

from prometheus_client import CollectorRegistry

from semaphores import Client, connect
from semaphores.metrics import Exporter
from semaphores.metrics.counters import MOST_JOBS, OTHERS, Counters
from semaphores.metrics.reading import queues_of, worth_showing
from semaphores.runs.lines import LineView
from semaphores.session.events import Granted
from semaphores.status import LimitStatus
from tests.metrics.scene import parsed, scraped
from tests.servers import Server, start_server


def limit(name: str, *, used: int = 0, waiting: int = 0, capacity: int | None = 1) -> LimitStatus:
    kind = name.partition(":")[0]
    return LimitStatus(name, name, kind, capacity, used, waiting, None, False, None, False, None, None)


def test_the_limits_at_which_most_wait_are_shown_and_never_more_than_so_many() -> None:
    many = [limit(f"pool:p{i}", used=i % 7) for i in range(5000)]
    loud = limit("pool:loud", waiting=3)
    tags = [limit(f"tag:user={i}", used=1, capacity=None) for i in range(5000)]
    found = worth_showing([*many, *tags, limit("pool:*"), loud], 200)
    assert len(found) == 200
    assert loud in found
    assert {one.used for one in found if one is not loud} == {6}


def test_queues_of_single_executions_are_one() -> None:
    lines = [LineView(f"execute-{i:012x}", "etl", 1, 2.0, 0) for i in range(50)]
    found = queues_of(lines, [], 200)
    assert list(found) == ["execute"]
    assert (found["execute"].waiting, found["execute"].unserved, found["execute"].oldest_wait) == (50, 50, 2.0)


def test_jobs_beyond_many_count_as_others() -> None:
    counters = Counters()
    for i in range(MOST_JOBS + 5):
        counters.run_over(f"job{i}", "SUCCESS", 1.0)
    counts = counters.counts()
    assert counts.finished[OTHERS, "SUCCESS"] == 5
    assert len(counts.durations) == MOST_JOBS + 1


def test_grants_waits_and_lost_leases_of_this_process_are_counted(server: Server, namespace: str) -> None:
    with connect(server.url, namespace=namespace, init=True) as client:
        exporter = Exporter(client, namespace=False)
        client.limits.set("pool:db", 1)
        with client.pool("db") as lease:
            waiter = threading.Thread(target=_once, args=(client,))
            waiter.start()
            while not client.requests("pool:db"):
                time.sleep(0.01)  # the server tells nobody
            lease.release()
            waiter.join()
        found = parsed(exporter.text().body.decode())
        assert not [name for name in found if name.startswith("semaphores_limit")], "asked of the server"
        assert found["semaphores_grants"].value(of="acquire") == 2
        assert found["semaphores_hand_offs"].value(of="acquire") == 1
        waits = found["semaphores_wait_seconds"].samples
        assert next(value for (name, _), value in waits.items() if name.endswith("_count")) == 2
        assert found["semaphores_leases_lost"].value() == 0
        assert found["semaphores_sessions_begun"].value() == 1


def _once(client: Client) -> None:
    with client.pool("db", timeout=20):
        pass


def test_it_registers_without_asking_and_says_down_within_a_scrape_when_the_server_is_away() -> None:
    with start_server() as server, connect(server.url, namespace="down", init=True) as client:
        client.limits.set("pool:db", 1)
        exporter, registry = Exporter(client), CollectorRegistry()
        registry.register(exporter)
        assert parsed(exporter.text().body.decode())["semaphores_up"].value() == 1
        address, port = exporter.serve()
        server.kill()
        time.sleep(1.1)  # what was just read is told again within a second
        begun = time.monotonic()
        found = parsed(scraped(f"http://{address}:{port}/metrics"))
        assert time.monotonic() - begun < 8, "a scraper waits for 10 s"
        assert found["semaphores_up"].value() == 0
        assert "semaphores_runs" not in found
        assert found["semaphores_grants"].value(of="run") == 0


def test_counting_a_grant_costs_next_to_nothing() -> None:
    counters, event = Counters(), Granted("pool:db=1", 0.01, True, None)
    begun = time.perf_counter()
    for _ in range(20_000):
        counters.observe(event)
    each = (time.perf_counter() - begun) / 20_000
    assert each < 2e-5, f"{each * 1e6:.2f} µs"
