"""Limits: set, deleted, paused, resumed; what they admit, and who is told."""

from __future__ import annotations

from semaphores.scripts.commands import Acquire, ChangeLimits
from tests.lua.harness import Calls, Session


def test_every_change_answers_what_was_and_what_is(calls: Calls, alice: Session) -> None:
    reply = alice.change({"limit": "pool:db", "kind": "set", "capacity": 3, "description": "the big one"})
    assert reply.answer["answer"] == "changed"
    assert reply.answer["changes"][0]["before"] == "1"  # type: ignore[index]
    assert calls.hash("limits")["pool:db"] == "3"
    assert "description=the big one" in calls.hash("limits:info")["pool:db"]


def test_a_pause_remembers_what_it_replaced_and_a_set_meanwhile_changes_that(calls: Calls, alice: Session) -> None:
    alice.change({"limit": "pool:db", "kind": "pause"})
    assert calls.hash("limits")["pool:db"] == "0"
    alice.change({"limit": "pool:db", "kind": "set", "capacity": 4})
    assert calls.hash("limits")["pool:db"] == "0"
    alice.change({"limit": "pool:db", "kind": "resume"})
    assert calls.hash("limits")["pool:db"] == "4"
    assert alice.change({"limit": "pool:db", "kind": "resume"}).answer["answer"] == "unpaused"


def test_a_description_cannot_pass_for_a_pause(calls: Calls, alice: Session) -> None:
    alice.change({"limit": "pool:db", "kind": "set", "capacity": 3, "description": "x paused_from=9 origin=file"})
    alice.change({"limit": "pool:db", "kind": "set", "capacity": 5})
    assert calls.hash("limits")["pool:db"] == "5"
    assert alice.change({"limit": "pool:db", "kind": "resume"}).answer["answer"] == "unpaused"


def test_changes_are_all_or_nothing(calls: Calls, alice: Session) -> None:
    before = calls.dump()
    good: dict[str, str | int] = {"limit": "pool:new", "kind": "set", "capacity": 3}
    assert alice.change(good, {"limit": "pool:none", "kind": "delete"}).answer["answer"] == "missing"
    assert alice.change(good, expect=0).answer["answer"] == "conflict"
    assert alice.change(good, good).answer["answer"] == "refused"
    assert calls.dump() == before


def test_a_change_sent_again_is_made_once(calls: Calls, alice: Session) -> None:
    change = ChangeLimits([{"limit": "pool:db", "kind": "set", "capacity": 7}], "hand", "me")
    first = alice.send(change, numbers=[50]).answer
    again = alice.send(change, numbers=[50]).answer
    assert again["config"] == first["config"]
    assert calls.dump()["audit"] == ["2"]


def test_lowering_a_limit_stops_nobody_and_grants_nothing_until_usage_is_below_it(calls: Calls, alice: Session) -> None:
    calls.limit(alice, db=3)
    held = [alice.acquire("pool:db=1") for _ in range(3)]
    calls.limit(alice, db=2)
    waiting = alice.acquire("pool:db=1")
    assert alice.release(held[0]).granted == {}
    assert set(alice.release(held[1]).granted) == {waiting["n"]}


def test_deleting_a_limit_lets_its_waiters_go_on_at_once(calls: Calls, alice: Session) -> None:
    alice.acquire("pool:db=1")
    waiting = [alice.acquire("pool:db=1")["n"] for _ in range(3)]
    assert set(alice.change({"limit": "pool:db", "kind": "delete"}).granted) == set(waiting)
    assert calls.usage("pool:db") == 4


def test_usage_counts_before_there_is_a_capacity(calls: Calls, alice: Session) -> None:
    alice.acquire("pool:new=2")
    calls.limit(alice, new=2)
    assert alice.acquire("pool:new=1")["answer"] == "waits"


def test_a_request_heavier_than_its_limit_fails_on_arrival_and_a_paused_one_waits(calls: Calls, alice: Session) -> None:
    heavy = alice.acquire("pool:db=2")
    assert (heavy["answer"], heavy["limit"], heavy["slots"], heavy["capacity"]) == ("heavy", "pool:db", 2, 1)
    calls.limit(alice, db=0)
    assert alice.acquire("pool:db=2")["answer"] == "waits"


def test_a_pools_own_capacity_even_unlimited_sets_its_default_aside(calls: Calls, alice: Session) -> None:
    alice.change(
        {"limit": "pool:*", "kind": "set", "capacity": 1}, {"limit": "pool:free", "kind": "set", "capacity": -1}
    )
    assert [alice.acquire("pool:other=1")["answer"] for _ in range(2)] == ["granted", "waits"]
    assert [alice.acquire("pool:free=1")["answer"] for _ in range(2)] == ["granted", "granted"]


def test_a_tags_value_obeys_the_smaller_of_its_own_and_the_common_capacity(calls: Calls, alice: Session) -> None:
    alice.change(
        {"limit": "tag:k=*", "kind": "set", "capacity": 1}, {"limit": "tag:k=v", "kind": "set", "capacity": -1}
    )
    assert [alice.acquire("tag:k=v=1")["answer"] for _ in range(2)] == ["granted", "waits"]
    assert alice.acquire("tag:k=w=1")["answer"] == "granted"


def test_a_pool_that_nobody_limited_is_told(alice: Session) -> None:
    assert alice.acquire("pool:new=1")["unlimited"] == "pool:new"
    assert "unlimited" not in alice.acquire("pool:db=1")


def test_a_request_goes_over_to_its_right_group_when_one_limit_takes_the_place_of_another(
    calls: Calls, alice: Session
) -> None:
    """Compared by length, the new needs looked like fewer, and the second request waited behind the first."""
    calls.limit(alice, longname=1)
    full = alice.acquire("pool:longname=1")
    blocked = alice.acquire("pool:b=1 pool:longname=1")
    behind = alice.acquire("pool:c=1 pool:longname=1")
    alice.acquire("pool:b=1")
    calls.limit(alice, b=1)
    granted = alice.change({"limit": "pool:longname", "kind": "delete"}).granted
    assert set(granted) == {behind["n"]}
    assert full["answer"] == "granted"
    assert blocked["answer"] == "waits"


def test_a_changed_default_marks_ten_thousand_places_a_bounded_part_a_call(calls: Calls, alice: Session) -> None:
    alice.change({"limit": "pool:*", "kind": "set", "capacity": 0})
    count = 10_000
    for first in range(0, count, 250):
        alice.send(*[Acquire(f"pool:p{i}=1", "x") for i in range(first, first + 250)])
    assert calls.connection.zcard(calls.key("places")) == count
    reply = alice.change({"limit": "pool:*", "kind": "set", "capacity": 1})
    granted, most, rounds = len(reply.granted), len(reply.granted), 1
    while reply.more:
        reply = alice.ask()
        granted, most, rounds = granted + len(reply.granted), max(most, len(reply.granted)), rounds + 1
    assert granted == count
    assert most <= 66, f"{most} grants in one call"
    assert not calls.connection.exists(calls.key("undrained"), calls.key("places"))
