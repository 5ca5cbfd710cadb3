"""Nested use borrows: a function never blocks on itself, and never gets more slots by asking twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from semaphores import AcquireTimeout, AsyncLease, Client, LeaseLost, UsageError
from tests.faults.traffic import client_of, wait_until
from tests.servers import Server

BACKENDS = ["asyncio", "trio"]


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, 2.0, db=1, api=2) as made:
        yield made


class Peak:
    """The highest number that were inside at once."""

    def __init__(self) -> None:
        self.inside = self.highest = self.entered = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.entered += 1
            self.highest = max(self.highest, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


def test_a_nested_use_in_one_thread_shows_the_lenders_id_and_token(client: Client) -> None:
    with client.pool("db") as outer, client.pool("db", timeout=1) as inner:
        assert (inner.id, inner.token, inner.limits) == (outer.id, outer.token, {"pool:db": 1})
    assert client.leases() == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_ten_siblings_in_a_pool_of_one_run_one_at_a_time(client: Client, backend: str) -> None:
    peak = Peak()

    @client.pool("db")
    async def work() -> None:
        with peak:
            await anyio.sleep(0.005)

    async def main() -> None:
        async with client.pool("db"), anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(work)

    anyio.run(main, backend=backend)
    assert (peak.highest, peak.entered) == (1, 10)


def test_siblings_in_threads_run_one_at_a_time(client: Client) -> None:
    peak = Peak()

    @client.pool("db", timeout=5)
    def work() -> None:
        with peak:
            time.sleep(0.005)

    with client.pool("db"), ThreadPoolExecutor(5) as threads:
        for future in [threads.submit(copy_context().run, work) for _ in range(5)]:
            future.result()
    assert (peak.highest, peak.entered) == (1, 5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nested_use_through_to_thread_borrows(client: Client, backend: str) -> None:
    def inside(outer: AsyncLease) -> bool:
        with client.pool("db", timeout=1) as lease:
            return lease.id == outer.id

    async def main() -> bool:
        async with client.pool("db") as outer:
            return await to_thread.run_sync(inside, outer)

    assert anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_that_outlives_the_with_asks_the_server(client: Client, server: Server, backend: str) -> None:
    async def main() -> None:
        url, left, asked = server.url, anyio.Event(), anyio.Event()

        async def background() -> None:
            await left.wait()
            with pytest.raises(AcquireTimeout):
                async with client.pool("db", timeout=0.1):
                    pytest.fail("somebody else holds the only slot")
            asked.set()

        async with anyio.create_task_group() as group:
            async with client.pool("db"):
                group.start_soon(background)
                await anyio.lowlevel.checkpoint()
            with client_of(url, client.connections.namespace) as other:
                async with other.pool("db", timeout=2):
                    left.set()
                    await asked.wait()

    anyio.run(main, backend=backend)


def test_a_borrower_that_outlives_the_with_keeps_the_slot_until_it_leaves(client: Client) -> None:
    inside, leave = threading.Event(), threading.Event()

    def borrow() -> None:
        with client.pool("db"):
            inside.set()
            leave.wait(5)

    with client.pool("db") as outer:
        thread = threading.Thread(target=copy_context().run, args=(borrow,))
        thread.start()
        assert inside.wait(5)
    assert [lease.id for lease in client.leases()] == [outer.id], "somebody still works on it"
    leave.set()
    thread.join()
    wait_until("the slot is back", lambda: not client.leases())


def test_more_slots_than_the_chain_has_is_an_error_that_says_what_to_do(client: Client) -> None:
    with client.pool("api"), pytest.raises(UsageError, match=r"2 slots asked for inside a lease that has 1.*outer"):
        client.pool("api", slots=2).__enter__()
    with client.pool("api", slots=2), client.pool("api"), pytest.raises(UsageError):
        client.pool("api", slots=2).__enter__()
    assert client.leases() == ()


def test_limits_that_the_chain_lacks_are_asked_of_the_server_all_or_nothing(client: Client) -> None:
    with client.pool("db") as outer:
        with client.acquire(pools={"db": 1, "api": 2}) as both:
            assert both.limits == {"pool:db": 1, "pool:api": 2}
            assert both.id != outer.id
            used = {status.limit: status.used for status in client.status()}
            assert used == {"pool:db": 1, "pool:api": 2}
        wait_until("what was asked besides is back", lambda: len(client.leases()) == 1)
        with client.pool("db", blocking=False):
            pass  # the loan came back with it
    wait_until("all is back", lambda: not client.leases())


def _lent_out(client: Client, *, blocking: bool = True, timeout: float | None = None) -> float:
    """While another thread has the loan, ask for it; returns how long that took."""
    inside, leave = threading.Event(), threading.Event()

    def borrow() -> None:
        with client.pool("db"):
            inside.set()
            leave.wait(5)

    with client.pool("db"):
        thread = threading.Thread(target=copy_context().run, args=(borrow,))
        thread.start()
        assert inside.wait(5)
        started = time.monotonic()
        try:
            with client.pool("db", blocking=blocking, timeout=timeout):
                pytest.fail("it was lent twice")
        finally:
            took = time.monotonic() - started
            leave.set()
            thread.join()
            with client.pool("db", blocking=False):
                pass  # whoever gave up left the line
    return took


def test_blocking_false_and_timeout_hold_for_loans(client: Client) -> None:
    with pytest.raises(AcquireTimeout, match="pool 'db'"):
        _lent_out(client, blocking=False)


def test_a_timeout_holds_for_loans(client: Client) -> None:
    started = time.monotonic()
    with pytest.raises(AcquireTimeout) as caught:
        _lent_out(client, timeout=0.1)
    assert 0.1 <= caught.value.waited < 1.0
    assert time.monotonic() - started < 2.0


def test_a_loan_lends_on(client: Client) -> None:
    with client.pool("api", slots=2), client.pool("api") as one, client.pool("api", timeout=1) as deeper:
        assert one.id == deeper.id


@pytest.mark.parametrize("backend", BACKENDS)
def test_inside_a_lost_lease_a_nested_use_raises_lease_lost(client: Client, backend: str) -> None:
    async def main() -> None:
        with pytest.raises(LeaseLost):
            async with client.pool("db") as outer:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(lambda: client.release(outer.id, now=True))
                    while not outer.lost:
                        await anyio.sleep(0.005)
                    async with client.pool("db"):
                        pytest.fail("borrowed from a lost lease")

    anyio.run(main, backend=backend)


def test_a_loan_that_comes_after_the_lease_was_lost_raises_lease_lost(client: Client) -> None:
    inside, leave = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def first() -> None:
        try:
            with client.pool("db"):
                inside.set()
                leave.wait(5)
        except LeaseLost as error:
            errors.append(error)

    with pytest.raises(LeaseLost), client.pool("db") as outer:
        thread = threading.Thread(target=copy_context().run, args=(first,))
        thread.start()
        assert inside.wait(5)

        def second() -> None:
            try:
                with client.pool("db", timeout=5):
                    errors.append(AssertionError("borrowed from a lost lease"))
            except LeaseLost as error:
                errors.append(error)

        waiting = threading.Thread(target=copy_context().run, args=(second,))
        waiting.start()
        client.release(outer.id, now=True)
        wait_until("the loss is known", lambda: outer.lost)
        leave.set()
        thread.join()
        waiting.join()
    assert [type(error) for error in errors] == [LeaseLost, LeaseLost], errors
