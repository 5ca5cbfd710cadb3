"""Waiting: whoever waits is told by a push, in line, and keeps nothing busy meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import anyio
import pytest
import redis

from semaphores import AcquireTimeout, Client
from tests.faults.traffic import another, client_of, python, wait_until
from tests.servers import Server

BACKENDS = ["asyncio", "trio"]


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, 10.0, db=1, api=1000) as made:
        yield made


WAITER = """
import sys, time, semaphores
url, namespace, kind = sys.argv[1:]
client = semaphores.connect(url, namespace=namespace)
def said():
    print("granted", time.monotonic())
    sys.stdin.readline()
if kind == "thread":
    while sys.stdin.readline():
        with client.pool("db") as lease:
            said()
            lease.release()
        print("released")
else:
    import anyio
    async def main():
        while sys.stdin.readline():
            async with client.pool("db") as lease:
                said()
                await lease.release()
            print("released")
    anyio.run(main, backend=kind)
client.close()
"""


@pytest.mark.parametrize("kind", ["thread", *BACKENDS])
def test_a_waiter_in_another_process_is_granted_by_a_push(
    client: Client, server: Server, namespace: str, kind: str
) -> None:
    """Its loop is idle otherwise: nothing but the push can wake it that fast (a beat comes once a second)."""
    took = []
    with python(WAITER, server.url, namespace, kind) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def tell() -> None:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()

        for _ in range(5):
            with client.pool("db"):
                tell()
                wait_until("it waits", client.requests)
                wait_until("it listens", lambda: _listeners(server, namespace))
            released = time.monotonic()
            took.append(float(process.stdout.readline().split()[1]) - released)
            tell()
            assert process.stdout.readline() == "released\n"
        process.stdin.close()
        process.wait(10)
    assert sorted(took)[1] < 0.05, f"seconds from release to grant: {took}"


def _listeners(server: Server, namespace: str) -> int:
    with server.client() as raw:
        names = raw.execute_command("PUBSUB", "SHARDCHANNELS", f"sem:{{{namespace}}}:wake:*")
        assert isinstance(names, list)
        return len(names)


def test_waiters_are_served_in_line_and_higher_priority_first(client: Client) -> None:
    order: list[str] = []

    def wait(name: str, priority: int) -> None:
        with client.pool("db", priority=priority):
            order.append(name)

    threads = []
    with client.pool("db"):
        for count, (name, priority) in enumerate([("a", 0), ("b", 0), ("high", 5), ("c", 0)], 1):
            threads.append(threading.Thread(target=wait, args=(name, priority)))
            threads[-1].start()
            wait_until("it is in line", lambda count=count: len(client.requests()) == count)
    for thread in threads:
        thread.join(10)
    assert order == ["high", "a", "b", "c"]


def test_a_changed_limit_lets_waiters_go_on_at_once(client: Client) -> None:
    granted = threading.Event()

    def wait() -> None:
        with client.pool("db"):
            granted.set()

    with client.pool("db"):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until("it waits", client.requests)
        client.limits.set("pool:db", 2)
        assert granted.wait(1.0)
    thread.join(10)


def test_a_lowered_limit_stops_nobody_and_grants_nothing_until_below_it(client: Client) -> None:
    """Row 54."""
    client.limits.set("pool:db", 3)
    with another(client) as other:
        leases = [other.pool("db") for _ in range(3)]
        entered = [one.__enter__() for one in leases]
        client.limits.set("pool:db", 1)
        assert not any(lease.lost for lease in entered)
        for lease in entered[:2]:
            lease.release()
            with pytest.raises(AcquireTimeout):
                client.pool("db", blocking=False).__enter__()
        entered[2].release()
        with client.pool("db", blocking=False):
            pass
        for one in leases:
            one.__exit__(None, None, None)


def _commands(raw: redis.Redis) -> int:
    stats = raw.info("commandstats")
    assert isinstance(stats, dict)
    return sum(
        int(calls["calls"]) for name, calls in stats.items() if name.removeprefix("cmdstat_") in ("fcall", "fcall_ro")
    )


@pytest.mark.parametrize("held", [1, 1000])
def test_idle_leases_cost_one_beat_a_process_whatever_their_number(held: int) -> None:
    from tests.servers import start_server

    span = 3.2
    with start_server() as server, client_of(server.url, "n", 10.0, api=1000) as client, server.client() as raw:

        async def main() -> int:
            async with anyio.create_task_group() as group:
                inside, over = anyio.Event(), anyio.Event()
                count = 0

                async def hold() -> None:
                    nonlocal count
                    async with client.pool("api"):
                        count += 1
                        if count == held:
                            inside.set()
                        await over.wait()

                for _ in range(held):
                    group.start_soon(hold)
                await inside.wait()
                await anyio.sleep(0.3)
                before = _commands(raw)
                await anyio.sleep(span)
                calls = _commands(raw) - before
                over.set()
            return calls

        calls = anyio.run(main)
    assert 1 <= calls <= span / 1.5 + 1, f"{calls} calls in {span} s for {held} leases"


def test_a_thousand_idle_waiters_cost_a_call_a_second() -> None:
    from tests.servers import start_server

    span = 3.0
    with start_server() as server, client_of(server.url, "n", 10.0, db=1) as client, server.client() as raw:

        async def main() -> int:
            async with anyio.create_task_group() as group:

                async def wait() -> None:
                    async with client.pool("db"):
                        pass

                for _ in range(1000):
                    group.start_soon(wait)
                with anyio.move_on_after(10):
                    while len(raw.zrange("sem:{n}:places", 0, -1)) == 0 or client.status()[0].waiting < 1000:
                        await anyio.sleep(0.05)
                await anyio.sleep(0.5)
                before = _commands(raw)
                await anyio.sleep(span)
                calls = _commands(raw) - before
                group.cancel_scope.cancel()
            return calls

        with another(client) as holder, holder.pool("db"):
            calls = anyio.run(main)
        wait_until("nobody waits", lambda: not client.requests())
    assert calls <= 3 * span, f"{calls} calls in {span} s, the holder's beats included"
