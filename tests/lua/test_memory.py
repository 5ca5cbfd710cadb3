"""Out of memory: a call is refused before it ran, and giving back goes through `relief`."""

from __future__ import annotations

import pytest
import redis

from semaphores.scripts.commands import Acquire, Release
from tests.lua.harness import Calls, number
from tests.servers import Server


def test_at_the_memory_limit_calls_are_refused_whole_and_releases_still_go_through(own_server: Server) -> None:
    calls = Calls(own_server, "full")
    alice = calls.session("alice")
    calls.limit(alice, db=1)
    held = alice.acquire("pool:db=1")
    waiting = alice.acquire("pool:db=1")
    before = calls.dump()
    calls.connection.config_set("maxmemory", "1mb")
    released = Release(number(held), str(held["token"]))
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        alice.send(released, Acquire("pool:other=1", "x"))
    assert calls.dump() == before
    calls.function = "relief"
    reply = alice.send(released)
    assert reply.answer["answer"] == "released"
    assert set(reply.granted) == {waiting["n"]}
    calls.close()
