"""Refusals: what no command accepts, and that a refused or failed command wrote nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgpack
import pytest
import redis

from semaphores.scripts.commands import Acquire, Beat, Begin, ChangeLimits, Command, Release, Revoke, encode
from tests.lua.harness import Calls, Session, begin

NOT_WHOLE = [math.nan, math.inf, -math.inf, True, 1.5, 2**53 + 1, "x", "", "1e3", [], {"a": 1}, "\x00"]
BAD_TEXT = ["a\nb", "a\x00b", "a\rb", 7, True, ["a"]]
GOOD: dict[str, dict[str, object]] = {
    "acquire": {"needs": "pool:db=1", "holder": "h:1:t"},
    "release": {"lease": 1, "token": "1"},
    "cancel": {"request": 1},
    "beat": {"low": 0, "high": 9},
    "revoke": {"lease": "alice/1", "by": "me"},
    "begin": {"host": "h", "where": "w", "program": "p", "pids": "1:1", "ttl": 10.0},
    "change_limits": {"origin": "hand", "by": "me"},
}
BAD: list[tuple[str, str, list[object]]] = [
    (
        "acquire",
        "needs",
        [*BAD_TEXT, "", " ", "db=1", "pool:=1", "pool:db", "pool:db=", "pool:db=x", "tag:=v=1", "runs"],
    ),
    ("acquire", "needs", ["pool:db=0", "pool:db=-1", "pool:db=1.5", "pool:db=1001", "pool:db=9007199254740993"]),
    (
        "acquire",
        "needs",
        [f"pool:x=1{separator}pool:y=1" for separator in "\n\x00\r\t\x01\x7f"],
    ),
    (
        "acquire",
        "needs",
        ["pool:db=nan", "pool:db=1 pool:db=1", "pool:db=1 x=1", " ".join(f"pool:p{i}=1" for i in range(162))],
    ),
    ("acquire", "holder", [*BAD_TEXT, "", "a b", "x" * 256]),
    ("acquire", "priority", [*NOT_WHOLE, -4097, 4096]),
    ("acquire", "order", [*[value for value in NOT_WHOLE if value != 2**53 + 1], -1, 2**54]),
    ("release", "lease", [*NOT_WHOLE, 0, -1]),
    ("cancel", "request", [*NOT_WHOLE, 0, -1]),
    ("beat", "low", [*NOT_WHOLE, -1]),
    ("beat", "high", [*NOT_WHOLE, -1]),
    ("beat", "config", [*NOT_WHOLE, -1]),
    ("beat", "held", [[value] for value in [*NOT_WHOLE, 0, -1]]),
    ("beat", "awaited", [list(range(1, 1002))]),
    ("beat", "gone", [["a b"], ["bob", ""], ["x" * 65]]),
    ("beat", "host", ["a b", "", "a\nb", 7]),
    ("revoke", "lease", [*BAD_TEXT, "alice", "alice/", "a b/1", "alice/1/x"]),
    ("revoke", "by", [*BAD_TEXT, "", "a b"]),
    ("change_limits", "origin", ["", "cli", 7]),
    ("change_limits", "by", [*BAD_TEXT, "", "a b"]),
    ("begin", "host", ["a b", "", 7]),
    ("begin", "where", BAD_TEXT),
    ("begin", "program", BAD_TEXT),
    ("begin", "pids", BAD_TEXT),
    ("begin", "ttl", [math.nan, math.inf, -1, 0, 61, True, "10"]),
    ("begin", "replaces", ["a b", "", 7]),
]


@pytest.mark.parametrize(
    ("op", "field", "value"), [(op, field, value) for op, field, values in BAD for value in values], ids=repr
)
def test_a_bad_field_is_refused_by_name_and_nothing_is_written(
    calls: Calls, alice: Session, op: str, field: str, value: object
) -> None:
    caller = Session(calls, "newcomer") if op == "begin" else alice
    before = calls.dump()
    answer = caller.raw(op=op, **(GOOD[op] | {field: value}))
    assert answer["answer"] in ("refused", "failed"), answer
    assert calls.dump() == before


@pytest.mark.parametrize("capacity", [*NOT_WHOLE, -2, 1_000_001, None], ids=repr)
def test_a_bad_capacity_is_refused_and_none_of_the_changes_is_made(
    calls: Calls, alice: Session, capacity: object
) -> None:
    before = calls.dump()
    good = {"limit": "pool:other", "kind": "set", "capacity": 5}
    bad = {"limit": "pool:db", "kind": "set"} | ({} if capacity is None else {"capacity": capacity})
    answer = alice.raw(op="change_limits", origin="hand", by="me", changes=[good, bad])
    assert answer["answer"] == "refused", answer
    assert calls.dump() == before


@pytest.mark.parametrize(
    "limit",
    ["", "db", "pool:", "pool:a b", "pool:a\nb", "pool:a\x00", "tag:", "tag:=v", "tag:a b=c", "runs:x", "x" * 3000, 7],
)
def test_a_bad_name_of_a_limit_is_refused(calls: Calls, alice: Session, limit: object) -> None:
    before = calls.dump()
    answer = alice.raw(
        op="change_limits", origin="hand", by="me", changes=[{"limit": limit, "kind": "set", "capacity": 1}]
    )
    assert answer["answer"] == "refused", answer
    assert calls.dump() == before


@pytest.mark.parametrize("n", [*NOT_WHOLE, 0, -1, None], ids=repr)
@pytest.mark.parametrize("op", ["acquire", "release", "cancel", "change_limits", "revoke", "end", "reassert"])
def test_a_bad_n_is_refused(calls: Calls, alice: Session, op: str, n: object) -> None:
    before = calls.dump()
    fields = {"op": op} | GOOD.get(op, {}) | ({} if n is None else {"n": n})
    answer = alice.pack([msgpack.packb(fields)], mark=alice.n + 1).answer
    assert answer["answer"] == "refused", answer
    assert calls.dump() == before


@pytest.mark.parametrize(
    "header",
    [
        *({"session": value} for value in ["", "a b", "x" * 65, 7, "a\n"]),
        *({"mark": value} for value in [*NOT_WHOLE, -1]),
        *({"ttl": value} for value in [math.nan, math.inf, 0, -1, 61, True, "10"]),
        *({"longest": value} for value in [math.nan, math.inf, 0, 61, "10"]),
        *({"w": value} for value in [math.nan, math.inf, -1, "1", True]),
        *({"epoch": value} for value in NOT_WHOLE),
        *({"clock": value} for value in NOT_WHOLE),
    ],
    ids=repr,
)
def test_a_bad_header_refuses_the_whole_call(calls: Calls, alice: Session, header: Mapping[str, object]) -> None:
    before, clock = calls.dump(), calls.hash("meta")
    with pytest.raises(redis.ResponseError, match="SEMAPHORES"):
        alice.pack([encode(Acquire("pool:db=1", "x"), 99)], **{"mark": 1, **header})
    assert (calls.dump(), calls.hash("meta")) == (before, clock)


@pytest.mark.parametrize("packed", [b"", b"\xc1", msgpack.packb(7), msgpack.packb(None), msgpack.packb("x")], ids=repr)
def test_a_command_that_is_no_map_refuses_the_whole_call(calls: Calls, alice: Session, packed: bytes) -> None:
    before = calls.dump()
    with pytest.raises(redis.ResponseError, match="SEMAPHORES"):
        alice.pack([encode(Acquire("pool:db=1", "x"), 99), packed], mark=1)
    assert calls.dump() == before


def test_a_long_text_of_no_needs_does_not_hold_up_the_server(calls: Calls, alice: Session) -> None:
    before = calls.connection.info("commandstats")["cmdstat_fcall"]["usec"]
    answer = alice.pack(
        [msgpack.packb({"op": "acquire", "n": 99, "needs": "a" * 200_000, "holder": "h"})], mark=1
    ).answer
    spent = calls.connection.info("commandstats")["cmdstat_fcall"]["usec"] - before
    assert (answer["answer"], spent < 100_000) == ("refused", True), f"{spent} µs"


def test_an_unknown_command_is_refused_and_the_others_go_on(alice: Session) -> None:
    packed = [msgpack.packb({"op": "steal", "n": 8}), encode(Acquire("pool:db=1", "x"), 9)]
    assert [answer["answer"] for answer in alice.pack(packed, mark=8).answers] == ["refused", "granted"]


def test_256_commands_go_in_one_call_and_257_in_none(calls: Calls, alice: Session) -> None:
    needs = [Acquire(f"pool:p{i}=1", "x") for i in range(257)]
    assert {answer["answer"] for answer in alice.send(*needs[:256]).answers} == {"granted"}
    before = calls.dump()
    with pytest.raises(redis.ResponseError, match="at most 256"):
        alice.send(*needs)
    assert calls.dump() == before


def test_one_bad_release_does_not_hide_the_others(calls: Calls, alice: Session) -> None:
    held = alice.acquire("pool:db=1")
    packed = [msgpack.packb({"op": "release", "n": 8, "lease": math.nan, "token": "1"})]
    packed.append(msgpack.packb({"op": "release", "n": 9, "lease": held["n"], "token": held["token"]}))
    assert [answer["answer"] for answer in alice.pack(packed, mark=8).answers] == ["refused", "released"]
    assert calls.usage("pool:db") == 0


EVERY: dict[str, Command] = {
    "acquire": Acquire("pool:db=1 pool:free=1", "x"),
    "wait": Acquire("pool:full=1", "x"),
    "wait in another group": Acquire("pool:db=1 pool:full=1", "x"),
    "release": Release(0, ""),
    "beat": Beat(0, 2**50, host="h"),
    "revoke": Revoke("alice/3", "me"),
    "revoke at once": Revoke("alice/3", "me", at_once=True),
    "change_limits": ChangeLimits([{"limit": "pool:full", "kind": "set", "capacity": 3}], "hand", "me"),
    "begin": Begin(host="h", where="w", program="p", pids="1:1", ttl=10.0, replaces="bob"),
}
KEYS = [
    *("limits", "limits:info", "slots:pool:db", "slots:pool:full", "slots:pool:free", "places", "waiters:pool:full"),
    *("waiters:pool:db", "undrained", "timers", "sessions", "audit", "host:h", "GROUP", "GROUP:requests"),
    *("session:alice:leases", "session:alice:requests", "session:alice", "session:bob", "session:bob:requests"),
]


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("command", EVERY)
def test_a_key_of_a_wrong_type_fails_the_command_before_it_writes_and_the_others_go_on(
    calls: Calls, alice: Session, bob: Session, command: str, name: str
) -> None:
    calls.limit(alice, full=1, db=5)
    held = alice.acquire("pool:full=1")
    bob.acquire("pool:full=1")
    group = next(key for key in calls.dump() if key.startswith("group:") and key.count(":") == 1)
    name = name.replace("GROUP", group)
    asked = EVERY[command]
    if isinstance(asked, Release):
        asked = Release(held["n"], str(held["token"]))  # type: ignore[arg-type]
    elif isinstance(asked, Revoke):
        asked = Revoke(f"alice/{held['n']}", "me", asked.at_once)
    calls.connection.delete(calls.key(name))
    calls.connection.set(calls.key(name), "spoilt")
    before = calls.dump()
    caller = Session(calls, "carol") if isinstance(asked, Begin) else alice
    other = Acquire("pool:untouched=1", "x")
    answers: Sequence[Mapping[str, object]] = ()
    refusal = ""
    try:
        answers = caller.send(asked, other).answers
    except redis.ResponseError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("SEMAPHORES")
        assert name in ("session:alice", "sessions")
        assert calls.dump() == before
        return
    if answers[0]["answer"] in ("failed", "refused"):
        after = calls.dump()
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed <= {"slots:pool:untouched", f"session:{caller.name}:leases", "broken"}, changed
    if name not in ("limits", f"session:{caller.name}:leases") and not isinstance(asked, Begin):
        assert answers[1]["answer"] == "granted", answers


def test_a_limit_that_cannot_be_read_is_never_taken_for_unlimited(calls: Calls, alice: Session) -> None:
    alice.acquire("pool:db=1")
    calls.connection.delete(calls.key("limits"))
    calls.connection.set(calls.key("limits"), "spoilt")
    answers = alice.send(Acquire("pool:db=1", "x"), Acquire("pool:db=1", "x")).answers
    assert [answer["answer"] for answer in answers] == ["failed", "failed"]


def test_begin_is_not_needed_twice(calls: Calls, alice: Session) -> None:
    before = calls.dump()
    assert alice.send(begin(where="elsewhere")).answer["answer"] == "begun"
    assert calls.dump() == before
