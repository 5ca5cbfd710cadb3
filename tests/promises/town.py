"""Town: a populated namespace, and ways to break it."""

from __future__ import annotations

from collections.abc import Iterator

from semaphores.doctor import Finding
from semaphores.scripts.commands import Revoke
from tests.lua.harness import Calls, Session, number

__all__ = ["Town", "every_finding", "lose", "settle", "stored"]


class Town:
    """A populated namespace: holders and waiters of several limits, a paused one, a revoked lease, a waiter aside."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.a, self.b, self.c = calls.session("a"), calls.session("b"), calls.session("c")
        self.listener = calls.listen("a", "b")
        changes = [("pool:db", 2), ("pool:api", 1), ("pool:slow", 4), ("tag:team", 3), ("pool:once", 1)]
        for limit, capacity in changes:
            self.a.change({"limit": limit, "kind": "set", "capacity": capacity, "description": "of a test"})
        self.held = self.a.acquire("pool:db=2")
        self.wide = self.a.acquire("pool:free=3 tag:team=1")
        self.api = self.a.acquire("pool:api=1")
        self.once = self.b.acquire("pool:once=1")
        self.a.change({"limit": "pool:slow", "kind": "pause"})
        self.waits = [
            self.b.acquire("pool:db=1"),
            self.b.acquire("pool:db=1", priority=5),
            self.b.acquire("pool:api=1 pool:db=1"),
            self.b.acquire("pool:slow=1"),
        ]
        self.silent = self.c.acquire("pool:api=1")
        self.a.release(self.api)  # the first in line does not listen: it stands aside, and the next comes
        self.calls.session("d").send(Revoke(f"b/{number(self.once)}", "me"))

    def close(self) -> None:
        self.listener.close()


def stored(calls: Calls) -> list[str]:
    return calls.keys()


def lose(calls: Calls, key: str) -> None:
    assert calls.connection.delete(calls.key(key)) == 1, f"{key} was not there"


def settle(session: Session) -> None:
    """Call until nothing is left to be worked off."""
    for _ in range(20):
        if not session.ask().more:
            return
    raise AssertionError("there is always more to do")


def every_finding(calls: Calls) -> Iterator[Finding]:
    """Everything that is stored, reported as if it were wrong."""

    def wrong(what: str, key: str, **facts: str) -> Finding:
        return Finding("error", what, key, "", True, {"key": key, **facts})

    types = {"hash": "hash", "zset": "zset", "set": "set", "stream": "stream"}
    for key in stored(calls):
        kind, _, rest = key.partition(":")
        yield wrong("wrong_type", key, wanted=types[calls.connection.type(calls.key(key)).decode()])
        name = rest.partition(":")[0]
        content = calls.dump().get(key)
        if kind == "session" and key.endswith((":leases", ":requests")):
            what = "slots_missing" if key.endswith(":leases") else "request_unfiled"
            yield from (wrong(what, key, name=f"{name}/{n}") for n in calls.hash(key))
        elif kind == "slots" and isinstance(content, list):
            for member, _ in content:
                yield wrong("slot_orphan", key, name=str(member).partition(":")[0], limit=rest, member=str(member))
        elif kind == "group" and key.endswith(":requests") and isinstance(content, list):
            yield from (wrong("member_orphan", key, name=str(member), group=name) for member, _ in content)
        elif kind == "waiters" and isinstance(content, list):
            yield from (wrong("place_orphan", key, name=key, group=str(group)) for group, _ in content)
        elif kind == "group":
            yield wrong("group_unplaced", key, name=name)
        elif kind == "session":
            yield wrong("session_missing", key, name=name)
    for limit, capacity in calls.hash("limits").items():
        yield wrong("limit_missing", "limits", name=limit, capacity=str(int(capacity) + 1), info="by=nobody")
    yield wrong("audit_missing", "audit")
    yield wrong("meta_behind", "meta", name="token", token="1", sequence="1", config="1", expiry="1")
