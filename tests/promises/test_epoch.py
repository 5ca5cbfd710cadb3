"""Epochs: what is promised when the server restarts, forgets, comes back older, or is away."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import semaphores
from semaphores import AcquireTimeout, Client, LeaseLost, Refused, ServerUnavailable
from tests.faults.proxy import Proxy
from tests.faults.traffic import client_of, python, wait_until
from tests.servers import Server, free_port, start_server

T = 1.0
D = T - (T / 5 + T / 20)
BACKENDS = ["asyncio", "trio"]


def other(server: Server, namespace: str = "n", ttl: float = T) -> Client:
    """Another session of the namespace."""
    return semaphores.connect(server.url, namespace=namespace, ttl=ttl)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_server_with_its_file_comes_back_with_leases_and_waiters(backend: str) -> None:
    """Row 28: holders keep their leases, whoever waited gets its turn, grants go on within the grace and 2 s."""
    with start_server(appendonly=True) as server, client_of(server.url, "n", 2.0, db=1) as client, other(server) as two:
        granted = threading.Event()

        async def wait() -> None:
            async with two.pool("db", timeout=20):
                granted.set()

        waiting = threading.Thread(target=lambda: anyio.run(wait, backend=backend))
        with client.pool("db") as lease:
            waiting.start()
            wait_until("somebody waits", client.requests)
            server.kill()
            server.start()
            back = time.monotonic()
            wait_until("the holder is heard of again", lambda: client.namespace().grace is not None)
            lease.guard()
            assert [seen.id for seen in client.leases()] == [lease.id]
            assert not granted.is_set()
        assert granted.wait(10)
        took = time.monotonic() - back
        waiting.join(10)
        assert took <= 2.0 + 2.0, f"{took:.2f} s from the restart to the grant"
        wait_until("everything is given back", lambda: not client.leases(), 4.0)


def test_who_times_out_after_its_server_was_killed_is_told_who_holds_the_slot() -> None:
    """Its old connection leads nowhere, and the next beat must not take away what its cancel asks for."""
    told: list[AcquireTimeout] = []

    def wait(client: Client) -> None:
        try:
            with client.pool("db", timeout=2 * T + 1):
                pass
        except AcquireTimeout as error:
            told.append(error)

    with start_server(appendonly=True) as server, client_of(server.url, "n", T, db=1) as client, other(server) as two:
        with client.pool("db") as lease:
            waiting = threading.Thread(target=wait, args=(two,))
            waiting.start()
            wait_until("somebody waits", client.requests)
            server.kill()
            server.start()
            waiting.join(10)
            lease.guard()
            assert [(one.limit, one.used, one.capacity) for one in told] == [("pool:db", 1, 1)]
            assert told[0].holders[0].lease == lease.id


def test_a_wiped_server_gets_leases_and_limits_back_from_their_holders() -> None:
    """Rows 30 and 32. The grace keeps newcomers out until all holders have come back; the limit is not forgotten."""
    with start_server() as server, client_of(server.url, "n", T, db=1) as client, server.client() as raw:
        with client.pool("db") as lease:
            wait_until("the holder knows its limit", lambda: client.connections.session.capacities.limits)
            raw.flushall()
            wait_until("the holder noticed", lambda: raw.exists("sem:{n}:meta"))  # a stranger's grace would be 10 s
            with other(server) as two:
                with pytest.raises(AcquireTimeout) as caught:
                    two.pool("db", blocking=False).__enter__()
                assert caught.value.grace is not None, "nothing is granted in a grace, and it says so"
                with pytest.raises(AcquireTimeout) as later:
                    two.pool("db", timeout=T + 1.5).__enter__()
                assert (later.value.limit, later.value.used, later.value.capacity) == ("pool:db", 1, 1)
            lease.guard()
            (status,) = client.status()
            assert (status.limit, status.capacity, status.used) == ("pool:db", 1, 1)
        with other(server) as two, two.pool("db", timeout=3) as next_one:
            assert next_one.token > lease.token, "tokens rise across a loss"


def test_a_wipe_while_calls_are_in_flight_loses_no_lease() -> None:
    """Two calls told at once that their session is unknown are one loss, not two."""
    with start_server() as server, client_of(server.url, "n", 2.0, db=1, api=100) as client, server.client() as raw:

        async def main() -> None:
            async with client.pool("db") as lease:
                with anyio.move_on_after(3.5):
                    async with anyio.create_task_group() as group:

                        async def busy() -> None:
                            while True:
                                async with client.pool("api"):
                                    await anyio.lowlevel.checkpoint()

                        for _ in range(20):
                            group.start_soon(busy)
                        await anyio.sleep(0.3)
                        for _ in range(2):
                            raw.flushall()
                            await anyio.sleep(0.2)
                lease.guard()

        anyio.run(main)


def test_an_older_copy_of_the_data_loses_its_ghosts_and_keeps_living_holders(tmp_path: Path) -> None:
    """Row 31: what was released since is not held for ever; what was granted since is re-asserted."""
    with start_server() as server, client_of(server.url, "n", T, db=2, api=1) as client, server.client() as raw:
        with client.pool("api"):
            raw.save()
            copy = (server.folder / "dump.rdb").read_bytes()
        with client.pool("db") as lease:
            wait_until("the release arrived", lambda: len(client.leases()) == 1)
            raw.config_set("save", "")
            server.kill()
            (server.folder / "dump.rdb").write_bytes(copy)
            server.start()
            with other(server) as two, two.pool("api", timeout=2 * T + 3):
                lease.guard()
                assert lease.id in {seen.id for seen in client.leases()}


def test_a_process_that_never_reached_the_server_says_so_within_five_seconds() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    with semaphores.connect(url, namespace="n", ttl=T) as client:
        started = time.monotonic()
        with pytest.raises(ServerUnavailable, match="127.0.0.1"):
            client.pool("db", timeout=0.4).__enter__()
        assert time.monotonic() - started < 1.5

        async def main() -> None:
            async with client.pool("db", timeout=0.4):
                pass

        for backend in BACKENDS:
            started = time.monotonic()
            with pytest.raises(ServerUnavailable):
                anyio.run(main, backend=backend)
            assert time.monotonic() - started < 1.5, backend


@pytest.mark.parametrize("kind", ["thread", *BACKENDS])
def test_a_server_that_accepts_and_never_answers_is_unavailable_in_time(kind: str) -> None:
    with start_server() as server, Proxy(server.port) as proxy:
        proxy.hole()
        with semaphores.connect(proxy.url, namespace="n", ttl=10) as client:

            async def main() -> None:
                async with client.pool("db", timeout=1.0):
                    pass

            started = time.monotonic()
            with pytest.raises(ServerUnavailable):
                if kind == "thread":
                    client.pool("db", timeout=1.0).__enter__()
                else:
                    anyio.run(main, backend=kind)
            took = time.monotonic() - started
        assert took < 5.0, f"{took:.1f} s"
        assert time.monotonic() - started < took + 2.5, "closing is bounded too"


@pytest.mark.parametrize("how", ["frozen", "gone"])
def test_an_outage_longer_than_t_ends_leases_by_d_and_then_all_goes_on(how: str) -> None:
    """Row 35: holders stop by D; the server comes back and reaps nobody unjustly; the next acquire works."""
    with start_server(appendonly=True) as server, client_of(server.url, "n", T, db=1) as client:
        lost_after: list[float] = []

        async def main() -> None:
            started = time.monotonic()
            try:
                async with client.pool("db"):
                    server.freeze() if how == "frozen" else server.kill()
                    started = time.monotonic()
                    await anyio.sleep(5 * T)
            except LeaseLost:
                lost_after.append(time.monotonic() - started)

        anyio.run(main)
        assert len(lost_after) == 1, "the body went on past D"
        assert lost_after[0] <= D + 0.15, f"LeaseLost after {lost_after[0]:.2f} s, D is {D:.2f} s"
        time.sleep(T)
        server.thaw() if how == "frozen" else server.start()
        with client.pool("db", timeout=2 * T + 3) as lease:
            lease.guard()


def test_a_thread_that_waits_sits_an_outage_out_until_its_timeout() -> None:
    with start_server(appendonly=True) as server, client_of(server.url, "n", T, db=1) as client:
        with client.pool("db"):
            pass
        server.kill()
        started = time.monotonic()
        with pytest.raises(AcquireTimeout):
            client.pool("db", timeout=1.0).__enter__()
        assert 0.9 <= time.monotonic() - started <= 3.0
        server.start()
        with client.pool("db", timeout=2 * T + 3):
            pass


def test_a_namespace_keeps_its_t_and_a_client_adopts_it_or_is_refused() -> None:
    with start_server() as server, client_of(server.url, "short", 2.0, db=1), other(server, "short", 10.0) as client:
        with client.pool("db") as lease:
            assert lease.remaining <= 1.5
    with start_server() as server, client_of(server.url, "long", 30.0, db=1) as long:
        with other(server, "long", 5.0) as client:
            for _ in range(2):
                with pytest.raises(Refused, match=r"SEMAPHORES_TTL=30"):
                    client.pool("db", timeout=3).__enter__()
            wait_until("the refused client holds nothing", lambda: not long.leases(), 5.0)
        with other(server, "long", 30.0) as client, client.pool("db", timeout=3) as lease:
            assert lease.remaining > 20


def test_a_first_call_without_init_waits_one_grace_and_says_why() -> None:
    with start_server() as server, other(server) as client:
        with pytest.raises(AcquireTimeout, match="semaphores init") as caught:
            client.pool("db", blocking=False).__enter__()
        assert caught.value.grace is not None
        assert 9 <= caught.value.grace <= 10, "holders that nobody heard of may have a T of up to 10 s"


def test_init_is_believed_once_and_not_after_a_loss() -> None:
    with start_server() as server, client_of(server.url, "n", T, db=1) as client, server.client() as raw:
        with client.pool("db"):
            pass
        raw.flushall()
        with pytest.raises(AcquireTimeout) as caught:
            client.pool("db", blocking=False).__enter__()
        assert caught.value.grace is not None, "a client made with init=True gave slots away after a loss"


KILLED = """
import sys, semaphores
client = semaphores.connect(sys.argv[1], namespace="n")
lease = client.pool("db").__enter__()
print(lease.id)
sys.stdin.read()
"""


def test_a_killed_holders_slot_is_back_within_two_seconds_whatever_t_is() -> None:
    """Certified death: another session of the same host sees that its process is gone. T is 10 s here."""
    with start_server() as server, client_of(server.url, "n", 10.0, db=1) as client, python(KILLED, server.url) as held:
        assert held.stdout is not None
        held.stdout.readline()
        with client.pool("api"):
            wait_until("they know of each other", lambda: client.connections.session.neighbours)
            held.kill()
            held.wait()
            started = time.monotonic()
            with client.pool("db", timeout=9):
                took = time.monotonic() - started
    assert took <= 2.0, f"{took:.2f} s"


def test_a_killed_holder_that_nobody_can_vouch_for_is_back_within_t_and_a_second(tmp_path: Path) -> None:
    """Rows 1 and 2 without certified death: the session's processes are not known."""
    code = "import semaphores.session.company as s; s.my_pids = lambda: ''\n" + KILLED
    with start_server() as server, client_of(server.url, "n", T, db=1) as client, python(code, server.url) as held:
        assert held.stdout is not None
        held.stdout.readline()
        with client.pool("api"):
            held.kill()
            held.wait()
            started = time.monotonic()
            with client.pool("db", timeout=9):
                took = time.monotonic() - started
    assert T / 2 <= took <= T + 1.0, f"{took:.2f} s"
