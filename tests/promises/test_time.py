"""Time: what clocks, pauses and silence may and may not do to a lease."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import anyio
import pytest

import semaphores
from semaphores import Client, LeaseLost
from tests.faults.proxy import Proxy
from tests.faults.traffic import another, client_of, python, wait_until
from tests.servers import Server, start_server

T = 1.0
HOUR = 3600 * 1_000_000  # µs
BACKENDS = ["asyncio", "trio"]


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, T, db=1) as made:
        yield made


def step_server_clock(server: Server, namespace: str, microseconds: int) -> None:
    """Make the server's clock look as if it had jumped: what the namespace remembers of it moves the other way."""
    with server.client() as raw:
        raw.hincrby(f"sem:{{{namespace}}}:meta", "wall", -microseconds)


@pytest.mark.parametrize("jump", [HOUR, 24 * HOUR])
def test_a_server_clock_that_jumps_ahead_expires_nobody(
    client: Client, server: Server, namespace: str, jump: int
) -> None:
    """Row 36."""
    with client.pool("db") as lease:
        step_server_clock(server, namespace, jump)
        time.sleep(1.5 * T)
        lease.guard()
        assert [seen.id for seen in client.leases()] == [lease.id]


def test_a_server_clock_that_jumps_back_delays_a_crashed_holders_slot_to_two_t_and_a_second(
    server: Server, namespace: str
) -> None:
    """Row 37: a grace begins, living holders keep their leases, and the dead one's slot is back all the same."""
    code = f"""
import sys, semaphores, semaphores.session.company as s
s.my_pids = lambda: ""
client = semaphores.connect(sys.argv[1], namespace=sys.argv[2], ttl={T})
client.pool("db").__enter__()
print("held")
sys.stdin.read()
"""
    with client_of(server.url, namespace, T, db=1, api=1) as client, python(code, server.url, namespace) as held:
        assert held.stdout is not None
        held.stdout.readline()
        with client.pool("api") as lease:
            step_server_clock(server, namespace, -HOUR)
            held.kill()
            held.wait()
            started = time.monotonic()
            with client.pool("db", timeout=6 * T):
                took = time.monotonic() - started
            lease.guard()
    assert took <= 2 * T + 1, f"{took:.2f} s"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_blocked_event_loop_keeps_its_leases(client: Client, backend: str) -> None:
    """Row 7."""

    async def main() -> None:
        async with client.pool("db") as lease:
            time.sleep(3 * T)  # noqa: ASYNC251 (that is the fault)
            lease.guard()
        with another(client) as other:
            async with other.pool("db", timeout=2):
                pass

    anyio.run(main, backend=backend)


PAUSED = f"""
import sys, time, semaphores
client = semaphores.connect(sys.argv[1], namespace=sys.argv[2], ttl={T})
with client.pool("db") as lease:
    print(lease.token)
    sys.stdin.readline()
    try:
        lease.guard()
        print("holds")
    except semaphores.LeaseLost:
        print("lost")
    sys.stdin.readline()
"""


@pytest.mark.parametrize(("pause", "expected"), [(T / 3, "holds"), (2.5 * T, "lost")])
def test_a_paused_process_keeps_its_lease_for_a_moment_and_knows_when_it_lost_it(
    client: Client, server: Server, namespace: str, pause: float, expected: str
) -> None:
    """Rows 5 and 6: after a pause longer than T, guard() raises before the next effect; the slot has a higher token."""
    with python(PAUSED, server.url, namespace) as held:
        assert held.stdin is not None
        assert held.stdout is not None
        token = int(held.stdout.readline())
        os.kill(held.pid, signal.SIGSTOP)
        if expected == "lost":
            with client.pool("db", timeout=5) as lease:
                assert lease.token > token
        else:
            time.sleep(pause)
        held.stdin.write("\n")
        held.stdin.flush()
        os.kill(held.pid, signal.SIGCONT)
        assert held.stdout.readline().strip() == expected


def test_a_session_past_its_deadline_is_never_renewed(server: Server, namespace: str) -> None:
    """Row 16, and the server stopped for long: what was given up does not stay with a session that lives on."""
    with start_server() as own, client_of(own.url, "n", T, db=1) as client:
        with pytest.raises(LeaseLost), client.pool("db") as lease:
            old = client.connections.session.id
            own.freeze()
            wait_until("D is past", lambda: lease.lost, 2 * T)
            own.thaw()
            with client.pool("other"):
                assert client.connections.session.id != old
                assert lease.id not in {seen.id for seen in client.leases()}, "given back at once, by the next session"
                with pytest.raises(LeaseLost):
                    lease.guard()


@pytest.mark.parametrize("cut", ["both ways", "replies only"])
def test_a_holder_that_was_cut_off_stops_by_its_deadline(server: Server, namespace: str, cut: str) -> None:
    """Rows 21 and 22. With replies lost the server goes on renewing until its holder stops asking under that name."""
    with Proxy(server.port) as proxy, client_of(server.url, namespace, T, db=1) as client:
        with semaphores.connect(proxy.url, namespace=namespace, ttl=T) as holder:
            lost_after = []

            async def main() -> None:
                started = time.monotonic()
                try:
                    async with holder.pool("db"):
                        proxy.drop_replies = True
                        proxy.drop_requests = cut == "both ways"
                        started = time.monotonic()
                        await anyio.sleep(5 * T)
                except LeaseLost:
                    lost_after.append(time.monotonic() - started)

            anyio.run(main)
            assert lost_after, "the body went on"
            assert lost_after[0] <= 0.75 * T + 0.2, f"{lost_after[0]:.2f} s"
            started = time.monotonic()
            with client.pool("db", timeout=5 * T):
                took = time.monotonic() - started
            assert took <= T + 1.0, f"{took:.2f} s"
            proxy.hole(False)
            proxy.cut()


def test_a_black_hole_of_a_third_of_t_costs_nothing(server: Server, namespace: str) -> None:
    """Row 20."""
    ttl = 3.0
    with Proxy(server.port) as proxy, client_of(server.url, namespace, ttl, db=1):
        with semaphores.connect(proxy.url, namespace=namespace, ttl=ttl) as holder, holder.pool("db") as lease:
            for _ in range(2):
                proxy.hole()
                time.sleep(ttl / 3)
                proxy.hole(False)
                time.sleep(ttl / 3)
                lease.guard()


def test_a_refusal_says_when_a_silent_holder_was_last_heard_of(server: Server, namespace: str) -> None:
    code = """
import os, sys, semaphores
client = semaphores.connect(sys.argv[1], namespace=sys.argv[2], ttl=10)
client.pool("db").__enter__()
print("held", flush=True)
sys.stdin.readline()
os._exit(0)
"""
    with client_of(server.url, namespace, 10.0, db=1) as client, python(code, server.url, namespace) as held:
        assert held.stdout is not None
        held.stdout.readline()
        os.kill(held.pid, signal.SIGSTOP)
        time.sleep(3)
        with pytest.raises(semaphores.AcquireTimeout) as caught:
            client.pool("db", blocking=False).__enter__()
        os.kill(held.pid, signal.SIGCONT)
        assert caught.value.silent is not None
        assert 1.0 <= caught.value.silent <= 6.0
