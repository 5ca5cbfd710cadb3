"""Races: what ends a session, a loop or a client just when something else is under way leaves nothing behind."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from semaphores import Client, LeaseLost, Refused, SemaphoresError, ServerError, connect
from semaphores.session.ledger import Awaiting
from semaphores.session.process import host_key
from tests.faults.proxy import Proxy
from tests.faults.traffic import client_of, wait_until
from tests.servers import Server, start_server

T = 1.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, T, db=1, api=50) as made:
        yield made


def test_a_body_that_rests_on_two_leases_ends_in_lease_lost_when_both_are_lost(client: Client) -> None:
    """A task that was cancelled twice and told once would end as cancelled, and its caller never know why."""

    async def body() -> None:
        async with client.pool("db"), client.acquire(pools={"db": 1, "api": 1}):
            client.connections.session.over("planted")
            await asyncio.sleep(5)

    async def main() -> BaseException | None:
        task = asyncio.create_task(body())
        await asyncio.wait([task], timeout=3)
        return asyncio.CancelledError() if task.cancelled() else task.exception()

    assert isinstance(asyncio.run(main()), LeaseLost)


def test_a_request_that_is_made_while_its_session_ends_is_awaited_by_the_next(client: Client) -> None:
    session, over = client.connections.session, threading.Event()
    made: list[list[Awaiting]] = [[], []]

    def ask(mine: list[Awaiting]) -> None:
        while not over.is_set():
            mine.append(Awaiting("pool:db=1", "h", 0, lambda: None))
            session.ask_for(mine[-1])
            if len(mine) % 20:  # few stay, so that a session ends quickly
                session.give_up(mine[-1])

    threads = [threading.Thread(target=ask, args=(mine,)) for mine in made]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for _ in range(200):
            session.over("planted")
            time.sleep(0.0005)  # so that the others run
    finally:
        over.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(usual)
    asked = [request for mine in made for request in mine if not request.given_up]
    assert len(asked) > 20
    assert all(session.ledger.awaited.get(request.n) is request for request in asked)


def test_a_session_that_cannot_begin_says_so_at_once(client: Client, server: Server) -> None:
    with server.client() as raw:
        key = f"{client.connections.prefix}host:{host_key()}"
        raw.delete(key)
        raw.set(key, "not a set")
        with pytest.raises(ServerError, match="doctor"), client.pool("db", timeout=T):
            pass
        raw.delete(key)
    with client.pool("db", timeout=T):
        pass


def test_a_client_with_a_short_ttl_that_only_ran_errands_waits_for_holders_with_a_long_one() -> None:
    """It saw the epoch, not their T: the grace that it begins after a loss must not be of its own T."""
    with start_server() as server, server.client() as raw, client_of(server.url, "n", 10.0, db=1) as holder:
        with connect(server.url, namespace="n", ttl=1) as short, holder.pool("db") as lease:
            short.limits.set("pool:x", 3)
            raw.flushall()
            with pytest.raises(SemaphoresError, match="living holders"), short.pool("db", timeout=2.5):
                pass
            assert not lease.lost
            wait_until("the holder came back", holder.leases, 5)


def test_a_grant_to_a_waiter_whose_loop_was_closed_goes_to_the_next(client: Client) -> None:
    async def wait() -> None:
        async with client.pool("db"):
            pass

    async def main() -> asyncio.Task[None]:
        waiting = asyncio.create_task(wait())
        while not client.requests():
            await asyncio.sleep(0.01)
        return waiting

    loop = asyncio.new_event_loop()
    with client_of(str(client.connections.endpoint), client.connections.namespace, T, init=False) as other:
        with other.pool("db"):
            waiting = loop.run_until_complete(main())
            loop.close()
        with other.pool("db", timeout=3):
            assert not waiting.done()
    wait_until("nothing is left", lambda: not client.leases() and not client.requests(), 3)
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_client_closed_under_busy_threads_ends_each_acquire_with_an_error_of_ours(
    server: Server, namespace: str
) -> None:
    """The one that reads for all and the one that closes must not take each other's replies."""
    ended: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            while True:
                with client.pool("api", timeout=3):
                    pass
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is looked at)
            ended.append(error)

    for _ in range(15):
        with client_of(server.url, namespace, T, api=50) as client:
            threads = [threading.Thread(target=work, args=(client,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(0.03)  # whenever it comes, it must be fine
            client.close()
            for thread in threads:
                thread.join(3.5)
            assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    assert {type(error) for error in ended} <= {Refused, LeaseLost}, ended


def test_a_new_connection_does_not_answer_what_was_unread_on_a_closed_one(server: Server, namespace: str) -> None:
    with client_of(server.url, namespace, T, db=1) as client:
        with client.pool("db"):
            pass  # nobody reads the reply to this release
        port = client.connections.threads()
        assert repr(port).endswith("1 unread>")
        port.disown()  # as `close` does, whoever leads
        begun = time.monotonic()
        with client.pool("db", timeout=T):
            took = time.monotonic() - begun
    assert took < T / 8, f"{took:.2f} s: it took another's answer, and waited for its own until that was overdue"


def test_who_holds_is_told_that_the_client_closes_before_the_server_gives_the_slot_away(
    server: Server, namespace: str
) -> None:
    with Proxy(server.port) as proxy, client_of(server.url, namespace, T, db=1) as direct:
        client = connect(proxy.url, namespace=namespace, ttl=T)
        lease = client.pool("db").__enter__()
        proxy.hold_replies = True
        closing = threading.Thread(target=client.close)
        closing.start()
        with direct.pool("db", timeout=3):
            assert lease.lost, "its slot was given away while it believed"
        proxy.hold_replies = False
        closing.join()


def test_a_client_that_was_closed_remembers_what_it_saw() -> None:
    """A loss between two uses must not pass for a namespace that never was."""
    with start_server() as own, own.client() as raw, client_of(own.url, "n", T, db=1) as holder:
        again = connect(own.url, namespace="n", ttl=T, init=True)
        again.limits.list()
        with again.pool("api"):
            pass
        again.close()
        with holder.pool("db") as lease:
            raw.flushall()
            with pytest.raises(SemaphoresError), again.pool("db", blocking=False):
                pass
            assert not lease.lost
        again.close()
