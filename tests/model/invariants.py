"""Invariants: what must be true of everything stored after every call, read from the server alone.

Raises AssertionError with the key that breaks one. Nothing here knows the model.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha1

from tests.lua.harness import Calls

Scores = dict[str, float]
Texts = dict[str, str]
LINE = re.compile(
    r"(?P<needs>.+?) (?:token=(?P<token>\d+)|order=(?P<order>\d+) group=(?P<group>\w+)) holder=\S+ since=\d+"
)


@dataclass
class Stored:
    """A namespace as it is stored, by kind of key."""

    hashes: dict[str, Texts]
    sorted_sets: dict[str, Scores]
    sets: dict[str, set[str]]

    def leases(self) -> dict[str, set[int]]:
        return self._numbers("leases")

    def requests(self) -> dict[str, set[int]]:
        return self._numbers("requests")

    def aside(self) -> dict[str, set[int]]:
        return self._numbers("aside")

    def _numbers(self, kind: str) -> dict[str, set[int]]:
        return {
            key.split(":")[1]: {int(n) for n in lines}
            for key, lines in self.hashes.items()
            if key.startswith("session:") and key.endswith(":" + kind)
        }

    def places(self) -> dict[str, Scores]:
        return {key: members for key, members in self.sorted_sets.items() if key.startswith("waiters:")}


def read(calls: Calls) -> Stored:
    """Read a whole namespace in two round trips."""
    keys = sorted(calls.keys())
    pipe = calls.connection.pipeline(transaction=False)
    for key in keys:
        kind = _kind(key)
        if kind == "hash":
            pipe.hgetall(calls.key(key))
        elif kind == "zset":
            pipe.zrange(calls.key(key), 0, -1, withscores=True)
        elif kind == "set":
            pipe.smembers(calls.key(key))
        else:
            pipe.exists(calls.key(key))
    stored = Stored({}, {}, {})
    for key, found in zip(keys, pipe.execute(), strict=True):
        kind = _kind(key)
        if kind == "hash":
            stored.hashes[key] = {k.decode(): v.decode() for k, v in found.items()}
        elif kind == "zset":
            stored.sorted_sets[key] = {member.decode(): score for member, score in found}
        elif kind == "set":
            stored.sets[key] = {member.decode() for member in found}
    return stored


def _kind(key: str) -> str:
    indexes = ("slots:", "waiters:", "line:", "jobs:", "takes:", "runs:", "queued:")
    if key.startswith(indexes) or key in ("places", "undrained", "timers", "sessions"):
        return "zset"
    if key.startswith("group:"):
        return "zset" if key.endswith(":requests") else "hash"
    if key.startswith(("host:", "workers", "codes:", "code:")) or key == "jobs":
        return "set"
    if key.startswith("run:") and key.endswith(":log"):
        return "other"
    return "other" if key == "audit" else "hash"


def check(calls: Calls) -> Stored:
    """Check everything that design section 5 promises of what is stored; returns it."""
    stored = read(calls)
    assert "broken" not in stored.hashes, stored.hashes["broken"]
    _check_slots(stored)
    _check_groups(stored)
    _check_places(stored)
    _check_sessions(stored)
    return stored


def _needs(line: str) -> dict[str, int]:
    found = LINE.match(line)
    assert found, line
    return _parse(found["needs"])


def _parse(words: str) -> dict[str, int]:
    return {limit: int(slots) for limit, _, slots in (need.rpartition("=") for need in words.split())}


def _check_slots(stored: Stored) -> None:
    held: Counter[str] = Counter()
    for session, numbers in stored.leases().items():
        for n in numbers:
            for limit, slots in _needs(stored.hashes[f"session:{session}:leases"][str(n)]).items():
                held[limit] += slots
                members = stored.sorted_sets.get(f"slots:{limit}", {})
                own = {f"{session}/{n}", *(f"{session}/{n}:{i}" for i in range(2, slots + 1))}
                assert own <= members.keys(), f"lease {session}/{n} lacks slots of {limit}"
    usage = {key[6:]: len(members) for key, members in stored.sorted_sets.items() if key.startswith("slots:")}
    assert usage == dict(held), f"usage {usage} is not what leases hold {dict(held)}"


def _check_groups(stored: Stored) -> None:
    waiting = {f"{session}/{n}" for session, numbers in stored.requests().items() for n in numbers}
    in_groups: set[str] = set()
    for key, members in stored.sorted_sets.items():
        if not key.startswith("group:"):
            continue
        name = key.split(":")[1]
        group = stored.hashes.get(f"group:{name}")
        assert group is not None, f"{key} has no group"
        assert sha1(group["needs"].encode()).hexdigest() == name, f"group {name} is not called after its needs"
        for member, score in members.items():
            session, _, n = member.rpartition("/")
            line = stored.hashes[f"session:{session}:requests"][n]
            assert f"order={score:.0f} group={name} " in line, f"{member}: {line}"
        in_groups |= members.keys()
        where = [place for place, groups in stored.places().items() if name in groups]
        assert where == [group["place"]], f"group {name} waits in {where}, and says {group['place']}"
        assert stored.places()[where[0]][name] == min(members.values()), f"group {name} has another score in its place"
    assert in_groups == waiting, f"groups have {in_groups}, sessions wait for {waiting}"
    lone = {key for key in stored.hashes if key.startswith("group:") and f"{key}:requests" not in stored.sorted_sets}
    assert not lone, f"groups without requests: {lone}"


def _check_places(stored: Stored) -> None:
    places = stored.places()
    indexed = set(stored.sorted_sets.get("places", {}))
    assert indexed == places.keys(), f"places are {set(places)}, their index says {indexed}"
    if float(stored.hashes["meta"]["grace"]) > float(stored.hashes["meta"]["clock"]):
        return
    marked = stored.sorted_sets.get("undrained", {})
    if any(entry.startswith("walk ") for entry in marked):
        return
    reserving = stored.hashes["meta"]["reserving"]
    assert not reserving or f"group:{reserving}" in stored.hashes, f"room is kept for {reserving}, which is gone"
    kept = _parse(stored.hashes[f"group:{reserving}"]["needs"]) if reserving else {}
    for place, groups in places.items():
        limit = place.partition(":")[2]
        name = reserving if reserving in groups else min(groups, key=lambda group: groups[group])
        first = min(stored.sorted_sets[f"group:{name}:requests"].items(), key=lambda item: item[1])[0]
        session, _, n = first.rpartition("/")
        slots = _needs(stored.hashes[f"session:{session}:requests"][n])[limit]
        used = len(stored.sorted_sets.get(f"slots:{limit}", {}))
        room = capacity_of(stored, limit) - used - (0 if name == reserving else kept.get(limit, 0))
        assert room < slots or place in marked, f"lost wake-up: {first} needs {slots} of {limit}, {room} are free"


def capacity_of(stored: Stored, limit: str) -> float:
    limits = {name: float(n) if float(n) >= 0 else float("inf") for name, n in stored.hashes.get("limits", {}).items()}
    own = limits.get(limit)
    if limit.startswith("tag:"):
        rule = limits.get(limit.partition("=")[0] + "=*", float("inf"))
        return min(rule, float("inf") if own is None else own)
    return own if own is not None else limits.get("pool:*", float("inf"))


def _check_sessions(stored: Stored) -> None:
    named = {key.split(":")[1] for key in stored.hashes if key.startswith("session:") and key.count(":") == 2}
    alive = {key.split(":")[1] for key in stored.hashes if key.startswith("session:") and key.count(":") == 1}
    indexed = set(stored.sorted_sets.get("sessions", {}))
    assert alive <= indexed, f"sessions {alive - indexed} are in no index: nobody would reap them"
    assert named <= indexed, f"left over of sessions {named - indexed}"
    hosts = {session for key, found in stored.sets.items() if key.startswith("host:") for session in found}
    assert hosts == alive, f"hosts list {hosts}, alive are {alive}"
