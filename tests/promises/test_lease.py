"""A lease: what it shows, how it ends, how it is lost; neither interruption nor misuse leaves anything behind."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import anyio
import anyio.lowlevel
import pytest

from semaphores import AcquireTimeout, Client, TooHeavy, UsageError
from tests.faults.proxy import Proxy
from tests.faults.traffic import another, client_of, wait_until
from tests.servers import Server

BACKENDS = ["asyncio", "trio"]
T = 1.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, 2.0, db=1, api=2) as made:
        yield made


def nothing_left(client: Client, patience: float = 1.0) -> float:
    """Wait until nobody holds or waits; returns how long it took."""
    return wait_until("nothing is left behind", lambda: not client.leases() and not client.requests(), patience)


def test_a_lease_shows_its_id_its_token_and_what_remains(client: Client) -> None:
    with client.pool("db") as lease:
        (seen,) = client.leases()
        assert lease.id == seen.id
        assert 0 < lease.remaining <= 1.5
        assert not lease.lost
        lease.guard()
    with client.pool("db") as later:
        assert later.token > lease.token


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_async_lease_released_by_hand_is_back_when_release_returns(client: Client, backend: str) -> None:
    async def main() -> None:
        async with client.pool("db") as lease:
            await lease.release()
            assert client.leases() == ()
            await lease.release()

    anyio.run(main, backend=backend)


def test_release_waits_and_a_second_release_does_nothing(client: Client) -> None:
    with client.pool("api") as one, another(client) as other, other.pool("api") as theirs:
        one.release()
        assert [lease.id for lease in client.leases()] == [theirs.id]
        one.release()
        assert [lease.id for lease in client.leases()] == [theirs.id], "a late release took another's slot"
    nothing_left(client)


def test_pickling_a_lease_is_a_type_error_that_says_what_to_do(server: Server, namespace: str) -> None:
    with client_of(server.url, namespace, 10.0, db=1) as client, client.pool("db") as lease:
        with pytest.raises(TypeError, match="acquire inside the other process"):
            pickle.dumps(lease)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes, pytest.raises(TypeError):
            processes.submit(print, lease).result(20)


def test_a_decorated_generator_is_a_type_error(client: Client) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"numbers is a generator: put `with pool"):
        client.pool("db")(numbers)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_pool_object_serves_many_tasks_and_a_decorated_function_many_calls(client: Client, backend: str) -> None:
    shared = client.pool("api")
    inside, highest = 0, 0

    @shared
    async def work() -> None:
        nonlocal inside, highest
        inside += 1
        highest = max(highest, inside)
        await anyio.sleep(0.002)
        inside -= 1

    async def direct() -> None:
        async with shared as lease:
            lease.guard()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(work)
                group.start_soon(direct)

    anyio.run(main, backend=backend)
    assert 1 <= highest <= 2
    nothing_left(client)


def test_one_pool_object_serves_many_threads(client: Client) -> None:
    shared = client.pool("api")
    tokens: list[int] = []

    @shared
    def work() -> None:
        time.sleep(0.001)

    def direct() -> None:
        with shared as lease:
            lease.guard()
            tokens.append(lease.token)
        work()

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(direct) for _ in range(40)]:
            future.result(20)
    assert len(set(tokens)) == 40
    nothing_left(client)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_async_with_left_by_another_task_is_released_and_said(client: Client, backend: str) -> None:
    async def main() -> None:
        shared = client.pool("db")
        await shared.__aenter__()

        async def leave() -> None:
            with pytest.raises(UsageError, match="another task"):
                await shared.__aexit__(None, None, None)

        if backend == "asyncio":
            await asyncio.create_task(leave())
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(leave)

    if backend == "asyncio":
        anyio.run(main, backend=backend)
    else:  # trio itself objects to scopes left in another order; the slot is back all the same
        with pytest.raises(BaseException):  # noqa: B017, PT011 (whichever error trio finds first)
            anyio.run(main, backend=backend)
    nothing_left(client)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cancelling_a_waiting_acquire_leaves_nothing_behind(client: Client, backend: str) -> None:
    async def main() -> None:
        with another(client) as other:
            async with other.pool("db"):
                with anyio.move_on_after(0.1) as scope:
                    async with client.pool("db"):
                        pytest.fail("the slot is taken")
                assert scope.cancelled_caught
                wait_until("nobody waits", lambda: not client.requests(), 1.0)

    anyio.run(main, backend=backend)
    nothing_left(client)


@pytest.mark.parametrize("backend", BACKENDS)
def test_cancelling_while_the_grant_is_on_its_way_gives_it_back(server: Server, namespace: str, backend: str) -> None:
    """Row 3: the server has granted, its reply is held back, the caller gives up."""
    with Proxy(server.port) as proxy, client_of(server.url, namespace, 2.0, db=1) as direct:
        with client_of(proxy.url, namespace, 2.0, init=False) as client:

            async def main() -> float:
                async with client.pool("warm"):
                    pass
                await anyio.sleep(0.05)
                proxy.held.clear()
                proxy.hold_replies = True
                with anyio.move_on_after(0.3):
                    async with client.pool("db"):
                        pytest.fail("its reply was held back")
                proxy.hold_replies = False
                return nothing_left(direct)

            assert anyio.run(main, backend=backend) <= 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_cancelling_during_release_still_releases(server: Server, namespace: str, backend: str) -> None:
    """Row 4: the handle is not stuck either."""
    with Proxy(server.port) as proxy, client_of(server.url, namespace, 2.0, db=1) as direct:
        with client_of(proxy.url, namespace, 2.0, init=False) as client:

            async def main() -> None:
                with anyio.move_on_after(0.05) as scope:
                    async with client.pool("db") as lease:
                        proxy.hold_replies = True
                        await lease.release()
                assert scope.cancelled_caught
                nothing_left(direct)
                proxy.hold_replies = False
                async with client.pool("db", timeout=2):
                    pass

            anyio.run(main, backend=backend)


def test_a_thread_that_times_out_leaves_nothing_behind(client: Client) -> None:
    with another(client) as other, other.pool("db"):
        with pytest.raises(AcquireTimeout):
            client.pool("db", timeout=0.05).__enter__()
        assert client.requests() == ()


def test_a_timeout_names_limit_usage_capacity_holders_and_position(client: Client) -> None:
    with another(client) as other, other.pool("db") as lease:
        with pytest.raises(AcquireTimeout) as caught:
            client.pool("db", timeout=0.05).__enter__()
        error = caught.value
        assert (error.limit, error.used, error.capacity, error.position) == ("pool:db", 1, 1, 1)
        assert [holder.lease for holder in error.holders] == [lease.id]
        assert error.waited >= 0.05
        with pytest.raises(AcquireTimeout) as at_once:
            client.pool("db", blocking=False).__enter__()
        assert [holder.lease for holder in at_once.value.holders] == [lease.id]
        assert "pool 'db' is full: 1 of 1" in str(at_once.value)


def test_too_heavy_a_request_fails_on_arrival(client: Client) -> None:
    with pytest.raises(TooHeavy):
        client.pool("api", slots=3).__enter__()
