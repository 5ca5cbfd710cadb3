"""The library is made once and called for ever: nothing that one call knew reaches another, of whatever namespace."""

from __future__ import annotations

import pytest
import redis

from semaphores.scripts.commands import Acquire, Release
from tests.lua.harness import Calls, Plant, Session, number
from tests.servers import Server

BREAKS: Plant = lambda text: text.replace(  # noqa: E731
    "  slots_write()\n", "  slots_write()\n  if call('EXISTS', 'break') == 1 then\n    error('in the middle')\n  end\n"
)
GATHERS: Plant = lambda text: text.replace(  # noqa: E731
    "  slots_write()\n",
    "  if call('EXISTS', 'break') == 1 then\n    error('before the first write')\n  end\n  slots_write()\n",
)
LEAKS: Plant = lambda text: text.replace(  # noqa: E731
    "states[i]()", "if states[i] then\n      states[i]()\n    end\n    states[i] = false"
)


def two(server: Server, *plants: Plant) -> tuple[Session, Session]:
    """Sessions of the same name in two namespaces: what one call keeps by session, number or limit means both."""
    return tuple(Calls(server, name, plants).session("alice") for name in ("one", "two"))  # type: ignore[return-value]


def shares_nothing(one: Session, two: Session) -> None:
    """The same names and numbers in two namespaces, in turn; each is granted what its own limits allow."""
    one.calls.limit(one, db=1)
    two.calls.limit(two, db=5)
    held = one.acquire("pool:db=1")
    for _ in range(5):
        assert two.acquire("pool:db=1")["answer"] == "granted"
        assert one.acquire("pool:db=1")["answer"] == "waits"
    assert two.acquire("pool:db=1")["answer"] == "waits"
    assert one.acquire("pool:other=1")["unlimited"] == "pool:other"
    assert (one.calls.usage("pool:db"), two.calls.usage("pool:db")) == (1, 5)
    assert len(one.release(held).granted) == 1
    assert two.ask().granted == {}


def test_calls_of_two_namespaces_in_turn_share_nothing(own_server: Server) -> None:
    shares_nothing(*two(own_server))


def test_that_would_be_noticed(own_server: Server) -> None:
    with pytest.raises((AssertionError, redis.ResponseError)):
        shares_nothing(*two(own_server, LEAKS))


@pytest.mark.parametrize("plant", [BREAKS, GATHERS])
def test_a_call_that_failed_in_its_middle_leaves_nothing_to_the_next(own_server: Server, plant: Plant) -> None:
    one, other = two(own_server, plant)
    one.calls.limit(one, db=3)
    other.calls.limit(other, db=3)
    held = one.acquire("pool:db=1")
    before = other.calls.dump()
    one.calls.connection.set("break", 1)
    with pytest.raises(redis.ResponseError, match=r"SEMAPHORES call\.lua:\d+"):
        one.send(Release(number(held), str(held["token"])), Acquire("pool:db=2", "x"))
    one.calls.connection.delete("break")
    after = one.calls.dump()
    other.ask()
    assert other.calls.dump() == before
    one.ask()
    assert one.calls.dump() == after
