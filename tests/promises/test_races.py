"""Races: what ends a session, a loop, a client or a thread just when something else is under way leaves nothing behind."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from semaphores import Client, LeaseLost, SemaphoresError, ServerError, connect
from semaphores.session.ledger import Awaiting
from semaphores.session.process import host_key
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
