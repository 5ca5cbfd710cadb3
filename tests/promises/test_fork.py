"""Fork: a child has none of its parent's leases: it never renews or releases them, and says so when it leaves one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from semaphores import Client, LeaseLost
from tests.faults.traffic import another, client_of
from tests.servers import Server

T = 1.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, T, db=1, api=2) as made:
        yield made


def in_child(work: Callable[[], str]) -> str:
    """Run something in a forked child, and return what it says. The child does not come back."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "nothing"
        try:
            said = work()
        except BaseException as error:  # noqa: BLE001 (whatever it is, the parent wants to hear of it)
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as reader:
        said = reader.read()
    os.waitpid(pid, 0)
    return said


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_a_child_leaves_its_parents_with_with_an_error_and_the_parent_keeps_the_lease(client: Client) -> None:
    entered = client.pool("db")
    lease = entered.__enter__()

    def leave() -> str:
        if not lease.lost:
            return "the child believes"
        try:
            entered.__exit__(None, None, None)
        except LeaseLost as error:
            return str(error)
        return "it left without an error"

    assert "forked" in in_child(leave)
    assert not lease.lost
    assert [seen.id for seen in client.leases()] == [lease.id]
    time.sleep(1.5 * T)
    lease.guard()
    assert [seen.id for seen in client.leases()] == [lease.id]
    entered.__exit__(None, None, None)


def test_a_child_acquires_with_a_session_of_its_own(client: Client) -> None:
    with client.pool("api") as lease:

        def acquire() -> str:
            with client.pool("api", timeout=2) as mine:
                return f"{mine.id} {len(client.leases())}"

        said, count = in_child(acquire).split()
        assert said.partition("/")[0] != lease.id.partition("/")[0], "inside its parent's lease, a child must ask"
        assert count == "2"
        lease.guard()


def test_a_child_that_lives_on_renews_nothing(client: Client) -> None:
    with pytest.raises(LeaseLost), client.pool("db"):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(write)
            os.read(read, 1)  # until its parent has seen enough
            os._exit(0)
        os.close(read)
        try:
            client.connections._keeper.stop()  # type: ignore[union-attr]
            client.connections._keeper = None
            started = time.monotonic()
            with another(client) as other, other.pool("db", timeout=3 * T + 2):
                took = time.monotonic() - started
        finally:
            os.close(write)
            os.waitpid(pid, 0)
        assert took <= T + 1.0, f"{took:.2f} s: somebody renewed it"
