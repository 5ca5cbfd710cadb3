"""Single faults, each with the outcome that is promised for it. What needs a crowd is in test_traffic.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import semaphores
from semaphores import AcquireTimeout, Client, InvalidName, InvalidNumber, SemaphoresError, ServerError
from semaphores.scripts.call import read_reply
from semaphores.scripts.commands import ChangeLimits, Release
from semaphores.session.ledger import Awaiting
from semaphores.session.session import Session, Settings
from semaphores.session.threads import ask_function
from semaphores.transport.wire import Wire
from tests.faults.proxy import Proxy
from tests.faults.traffic import another, client_of, python, wait_until
from tests.servers import Server, start_server

T = 1.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, 2.0, db=1, api=2) as made:
        yield made


ASKS = """
import sys, semaphores
client = semaphores.connect(sys.argv[1], namespace="n", ttl=1)
with client.pool("warm"):
    pass
print("warm")
sys.stdin.readline()
with client.pool("db"):
    print("granted")
    sys.stdin.read()
"""


def test_a_process_killed_between_grant_and_receipt_frees_its_slot_in_time() -> None:
    """Row 2."""
    with start_server() as server, Proxy(server.port) as proxy, client_of(server.url, "n", T, db=1) as client:
        with python(ASKS, proxy.url) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "warm\n"
            proxy.held.clear()
            proxy.hold_replies = True
            process.stdin.write("\n")
            process.stdin.flush()
            wait_until("the server granted it", lambda: [one for one in client.leases() if "db" in str(one)])
            process.kill()
            process.wait()
            started = time.monotonic()
            with client.pool("db", timeout=5):
                took = time.monotonic() - started
    assert took <= T + 1.0, f"{took:.2f} s"


@pytest.mark.parametrize("kind", ["thread", "asyncio"])
def test_a_reply_reset_after_execution_is_one_grant(server: Server, namespace: str, kind: str) -> None:
    """Row 19."""
    with Proxy(server.port) as proxy, client_of(server.url, namespace, 2.0, db=1) as direct:
        with semaphores.connect(proxy.url, namespace=namespace, ttl=2.0) as client:

            async def main() -> None:
                for _ in range(10):
                    proxy.reset_after_next_reply()
                    async with client.pool("db", timeout=5) as lease:
                        assert [seen.id for seen in direct.leases()] == [lease.id]

            if kind == "asyncio":
                anyio.run(main)
            else:
                for _ in range(10):
                    proxy.reset_after_next_reply()
                    with client.pool("db", timeout=5) as lease:
                        assert [seen.id for seen in direct.leases()] == [lease.id]
        wait_until("nothing is left", lambda: not direct.leases() and not direct.requests(), 3.0)


def test_an_acquire_delivered_after_its_caller_gave_up_leaves_nothing(server: Server, namespace: str) -> None:
    """Row 24: the request is held on the way, its caller times out, then it arrives."""
    with Proxy(server.port) as proxy, client_of(server.url, namespace, T, db=1) as direct:
        with semaphores.connect(proxy.url, namespace=namespace, ttl=T) as client:
            with client.pool("warm"):
                pass
            proxy.hold_requests = True
            with pytest.raises(AcquireTimeout):
                client.pool("db", timeout=0.2).__enter__()
            proxy.hold_requests = False
            time.sleep(0.1)
            wait_until("nothing is held", lambda: not direct.leases() and not direct.requests(), T + 1.0)


def test_a_half_open_waiter_swallows_nothing(server: Server, namespace: str) -> None:
    """Row 25: the pushes of a waiter that vanished go nowhere; whoever waits behind it is served within its T."""
    code = ASKS.replace('namespace="n"', "namespace=sys.argv[2]")
    with Proxy(server.port) as proxy, client_of(server.url, namespace, T, db=1) as client:
        with python(code, proxy.url, namespace) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "warm\n"
            with client.pool("db"):
                process.stdin.write("\n")
                process.stdin.flush()
                wait_until("it waits", client.requests)
                time.sleep(0.3)
                proxy.hole()
                process.kill()
                process.wait()
            with another(client) as behind:
                started = time.monotonic()
                with behind.pool("db", timeout=5):
                    took = time.monotonic() - started
    assert took <= T + 1.0, f"{took:.2f} s"


def test_late_foreign_and_double_releases_change_nothing(client: Client) -> None:
    """Row 15."""
    with client.pool("db") as first:
        first.release()
        with another(client) as other, other.pool("db") as theirs:
            first.release()
            command = Release(int(theirs.id.partition("/")[2]), str(first.token))
            client.connections.threads().post(command)
            with client.pool("api"):
                assert theirs.id in {seen.id for seen in client.leases("pool:db")}
                theirs.guard()


def test_a_session_that_expired_is_dead_and_never_comes_back(server: Server, namespace: str) -> None:
    """Row 16: a beat after the expiry is told so; what it held is not its any more."""
    with client_of(server.url, namespace, T, db=1) as client:
        session = Session(Settings(client.connections.prefix, T))  # nobody beats for it
        wire = Wire(client.connections.endpoint, "x", 5.0)
        pending = session.ask_for(Awaiting("pool:db=1", "me", 0, lambda: None))
        first = session.call([pending], wire.server)
        assert session.receive(first, read_reply(ask_function(wire, first.data)))  # type: ignore[arg-type]
        assert list(session.ledger.held)
        late = session.beat_call(wire.server, False, (), ())
        with client.pool("db", timeout=4 * T) as lease:
            for _ in range(2):
                reply = read_reply(ask_function(wire, late.data))  # type: ignore[arg-type]
                assert reply.lost, "a beat brought it back to life"
            assert [seen.id for seen in client.leases()] == [lease.id]
        wire.close()


def test_a_server_out_of_memory_takes_back_and_refuses_to_grant_with_a_clear_error() -> None:
    """Row 39."""
    with start_server() as server, client_of(server.url, "n", T, db=1, api=2) as client, server.client() as raw:
        with client.pool("api"):
            with client.pool("db"):
                raw.config_set("maxmemory", "1")
                with pytest.raises(ServerError, match="out of memory"):
                    client.pool("x").__enter__()
            wait_until("the release went through", lambda: not client.leases("pool:db"))
            time.sleep(1.5 * T)
            assert len(client.leases("pool:api")) == 1, "its beats went through too"

            async def ask() -> None:
                with pytest.raises(ServerError, match="out of memory"):
                    async with client.pool("x"):
                        pytest.fail("granted without memory")

            anyio.run(ask)
            raw.config_set("maxmemory", "0")
            with client.pool("db", timeout=3):
                pass
        wait_until("all is back", lambda: not client.leases())


def _keys(server: Server, namespace: str) -> list[str]:
    with server.client() as raw:
        return sorted(str(key) for key in raw.scan_iter(f"sem:{{{namespace}}}:*"))


def test_a_key_of_the_wrong_type_is_an_error_that_blocks_nobody_else(server: Server, namespace: str) -> None:
    """Row 43: each key in turn; whatever fails says so, and once the key is gone everything works."""
    with client_of(server.url, namespace, 2.0, db=1, api=5) as client, server.client() as raw:
        with another(client) as holder, holder.pool("db"), holder.pool("api"):
            waiter = threading.Thread(target=lambda: _wait_once(client))
            waiter.start()
            wait_until("somebody waits", client.requests)
            keys = [key for key in _keys(server, namespace) if not key.endswith(":meta") and "session" not in key]
        waiter.join(10)
        assert len(keys) >= 5, keys
        failed: list[str] = []
        for key in keys:
            raw.delete(key)
            raw.set(key, "not what it should be") if raw.type(key) != "string" else raw.lpush(key, "x")
            try:
                with client.pool("api", timeout=0.3) as lease:
                    lease.guard()
                with client.pool("other", timeout=0.3):
                    pass
            except SemaphoresError as error:
                failed.append(str(error))
            raw.delete(key)
        assert not [line for line in failed if "\n" in line], "an error is one line"
        client.limits.set("pool:api", 5)
        with another(client) as fresh, fresh.pool("api", timeout=3):
            pass


def _wait_once(client: Client) -> None:
    with client.pool("db", timeout=10):
        pass


NAMES = st.text(max_size=12) | st.sampled_from(
    ["{a}", "a}b{", "a\0b", "a\nb", "🎈" * 20, "x" * 10_000, "*", "%", "a=b", " "]
)


@settings(max_examples=40, deadline=None)
@given(name=NAMES)
def test_any_name_is_refused_or_comes_back_as_it_was(server: Server, name: str) -> None:
    """Row 52."""
    with client_of(server.url, "names", 10.0) as client:
        try:
            acquirer = client.pool(name, timeout=2)
        except InvalidName:
            return
        with acquirer as lease:
            (seen,) = client.leases()
            assert seen.id == lease.id
            assert len(lease.limits) == 1
        with server.client() as raw:
            assert all(str(key).startswith("sem:{names}:") for key in raw.scan_iter("*names*"))


@pytest.mark.parametrize("capacity", [float("nan"), float("inf"), -2, 2**53 + 1, True, "5", 1.5, 1_000_001])
def test_a_limit_that_is_no_number_is_refused_in_python_and_in_lua(client: Client, capacity: object) -> None:
    """Row 53."""
    with pytest.raises(InvalidNumber):
        client.limits.set("pool:db", capacity)  # type: ignore[arg-type]
    if isinstance(capacity, bool | int | float):
        change: dict[str, str | int] = {"limit": "pool:db", "kind": "set", "capacity": capacity}  # type: ignore[dict-item]
        answer = client.connections.command(ChangeLimits([change], "hand", "me"))
        assert answer["answer"] == "refused", answer
    assert client.limits.get("pool:db").capacity == 1


def test_loading_readonly_and_busy_replies_are_never_read_as_lost() -> None:
    """Row 51: a server that says no for a moment takes no lease away."""
    with start_server() as server, start_server() as primary, client_of(server.url, "n", 4.0, db=1) as client:
        with client.pool("db") as lease, server.client() as raw:
            raw.execute_command("REPLICAOF", "127.0.0.1", str(free_of(primary)))
            time.sleep(0.5)
            assert not lease.lost
            raw.execute_command("REPLICAOF", "NO", "ONE")
            raw.config_set("busy-reply-threshold", "50")
            busy = threading.Thread(target=_busy, args=(server,))
            busy.start()
            time.sleep(1.0)
            busy.join()
            lease.guard()


def free_of(primary: Server) -> int:
    """A port where nothing answers: the replica keeps its data while it tries."""
    from tests.servers import free_port

    return free_port() if primary.running else 0


def _busy(server: Server) -> None:
    with server.client() as raw:
        raw.eval("local s = 0 for i = 1, 3e7 do s = s + i % 7 end return 1", 0)  # about a second of nothing


def test_a_terminated_exec_gives_its_slot_back_within_two_seconds(server: Server, namespace: str) -> None:
    """Row 12."""
    arguments = ["--url", server.url, "--namespace", namespace, "exec", "--pool", "db", "--", "sleep", "60"]
    code = "import sys; from semaphores.cli import main; sys.argv = ['semaphores', *sys.argv[1:]]; main()"
    with client_of(server.url, namespace, 10.0, db=1) as client, python(code, *arguments) as process:
        wait_until("it holds", client.leases, 20.0)
        process.terminate()
        started = time.monotonic()
        with client.pool("db", timeout=9):
            took = time.monotonic() - started
        process.wait(10)
    assert took <= 2.0, f"{took:.2f} s"
