"""How a lease is lost: by revoking, by closing its client; the body hears of it and says so at its exit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest

from semaphores import Client, LeaseLost, SemaphoresError
from tests.faults.proxy import Proxy
from tests.faults.traffic import another, client_of, wait_until
from tests.servers import Server

BACKENDS = ["asyncio", "trio"]
T = 1.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, 2.0, db=1, api=2) as made:
        yield made


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lost_lease_cancels_the_async_body_and_surfaces_as_lease_lost(client: Client, backend: str) -> None:
    async def main() -> float:
        started = 0.0
        with pytest.raises(LeaseLost, match="by force|does not know"):
            async with client.pool("db") as lease:
                client.release(lease.id, now=True)
                started = time.monotonic()
                await anyio.sleep(10)
        assert not anyio.get_current_task().name.startswith("cancelled")
        await anyio.lowlevel.checkpoint()  # the task itself is not cancelled
        return time.monotonic() - started

    assert anyio.run(main, backend=backend) < 1.0


def test_a_lost_lease_shows_in_guard_and_at_the_exit_of_a_sync_body(client: Client) -> None:
    with pytest.raises(LeaseLost, match="by force|does not know"), client.pool("db") as lease:
        client.release(lease.id, now=True)
        wait_until("the loss is known", lambda: lease.lost, 1.0)
        with pytest.raises(LeaseLost):
            lease.guard()
        assert lease.remaining == 0.0


def test_an_error_of_the_body_is_not_hidden_by_the_loss(client: Client) -> None:
    with pytest.raises(KeyError), client.pool("db") as lease:
        client.release(lease.id, now=True)
        wait_until("the loss is known", lambda: lease.lost, 1.0)
        raise KeyError("body")


def test_a_revoked_lease_is_free_as_soon_as_its_holder_was_told(client: Client) -> None:
    with another(client) as holder, pytest.raises(LeaseLost), holder.pool("db") as lease:
        assert client.release(lease.id) is False, "the holder is told first"
        with client.pool("db", timeout=1.5) as mine:
            assert lease.lost, "granted while the holder did not know"
            assert mine.token > lease.token


def test_a_revoked_lease_of_a_silent_holder_is_free_after_its_ttl(server: Server, namespace: str) -> None:
    with Proxy(server.port) as proxy, client_of(server.url, namespace, T, db=1) as client:
        with client_of(proxy.url, namespace, T, init=False) as holder:
            with pytest.raises(LeaseLost), holder.pool("db") as lease:
                proxy.hole()
                started = time.monotonic()
                client.release(lease.id)
                with client.pool("db", timeout=5):
                    took = time.monotonic() - started
                    assert lease.lost
            proxy.cut()
            proxy.hole(False)
    assert took <= T + 1.0, f"{took:.2f} s"


def test_release_now_frees_the_slot_at_once(client: Client) -> None:
    with another(client) as holder, pytest.raises(LeaseLost), holder.pool("db") as lease:
        assert client.release(lease.id, now=True) is True
        with client.pool("db", blocking=False):
            pass
        wait_until("the holder knows", lambda: lease.lost, 1.0)


def test_a_closed_client_fails_what_still_waits(client: Client) -> None:
    errors: list[SemaphoresError] = []
    other = another(client)

    def wait() -> None:
        try:
            with other.pool("db"):
                pass
        except SemaphoresError as error:
            errors.append(error)

    with client.pool("db"):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until("it waits", client.requests)
        other.close()
        thread.join(5)
        assert not thread.is_alive()
    assert len(errors) == 1
