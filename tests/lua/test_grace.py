"""Loss: when a grace begins and ends, what is re-asserted in it, and how the lease clock steps."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from semaphores.scripts.commands import Acquire, Beat, Reassert
from tests.lua.harness import Calls, Reply, Session, begin, number

Told = Mapping[str, str | int]


def lose_everything(calls: Calls) -> None:
    """What FLUSHALL does, for this namespace."""
    calls.connection.delete(*map(calls.key, calls.keys()))


def back(session: Session, *leases: Told, limits: Sequence[Told] | None = None, alive: bool | None = True) -> Reply:
    """Return under the own name and re-assert."""
    return session.send(begin(returning=True), Reassert(leases, limits, 9), alive=alive)


def told(n: int, token: int = 77, needs: str = "pool:db=1") -> Told:
    return {"lease": n, "needs": needs, "token": token, "holder": "h:1:t", "since": 1_700_000_000_000}


def end_grace(calls: Calls) -> None:
    calls.connection.hset(calls.key("meta"), "grace", 1)


def limit_db(capacity: int) -> list[Told]:
    return [{"limit": "pool:db", "capacity": capacity, "info": "origin=file version=3 by=me at=1"}]


def test_a_missing_namespace_begins_with_a_grace_of_the_longest_t_and_grants_nothing(calls: Calls) -> None:
    session = Session(calls, "alice")
    reply = session.send(begin(), Acquire("pool:db=1", "x"), Acquire("pool:db=1", "x", try_=True), longest=30.0)
    assert reply.grace == pytest.approx(30, abs=0.1)
    assert [answer["answer"] for answer in reply.answers] == ["begun", "waits", "full"]
    assert reply.answers[2]["grace"] == pytest.approx(30, abs=0.1)
    assert not reply.more
    assert calls.usage("pool:db") == 0


def test_init_skips_the_grace(calls: Calls) -> None:
    reply = Session(calls, "alice").send(begin(), Acquire("pool:db=1", "x"), init=True)
    assert reply.grace is None
    assert reply.answers[1]["answer"] == "granted"


def test_init_of_a_namespace_that_exists_changes_nothing(calls: Calls, alice: Session) -> None:
    epoch = alice.ask().epoch
    assert alice.pack([], mark=alice.n + 1, init=True).epoch == epoch


def test_the_end_of_a_grace_wakes_those_who_waited(calls: Calls) -> None:
    session = Session(calls, "alice")
    session.send(begin(), Acquire("pool:db=1", "x"), Acquire("pool:other=1", "x"))
    end_grace(calls)
    reply = session.ask()
    assert reply.grace is None
    assert set(reply.granted) == {2, 3}
    assert calls.hash("meta")["grace"] == "0"


def test_after_a_loss_holders_come_back_above_a_limit_and_the_debt_drains(calls: Calls) -> None:
    alice, bob = calls.session("alice"), calls.session("bob")
    lose_everything(calls)
    back(alice, told(3), limits=limit_db(1))
    back(bob, told(4))
    waiting = bob.send(Acquire("pool:db=1", "x"))
    assert calls.usage("pool:db") == 2
    assert waiting.answer["answer"] == "waits"
    end_grace(calls)
    assert bob.ask().granted == {}
    assert alice.release({"n": 3, "token": "77"}).answer["answer"] == "released"
    assert calls.usage("pool:db") == 1
    assert set(bob.release({"n": 4, "token": "77"}).granted) == {bob.n - 1}


def test_waiters_of_a_grace_obey_the_limits_that_come_back_after_them(calls: Calls) -> None:
    alice, bob = calls.session("alice"), calls.session("bob")
    lose_everything(calls)
    bob.send(begin(returning=True), Acquire("pool:db=1", "x"), Acquire("pool:db=1", "x"))
    back(alice, limits=limit_db(1))
    end_grace(calls)
    assert len(bob.ask().granted) == 1


def test_the_highest_version_of_a_limit_wins_and_unlimited_comes_back_too(calls: Calls) -> None:
    alice = calls.session("alice")
    lose_everything(calls)
    newer: Told = {"limit": "pool:db", "capacity": 7, "info": "origin=file version=8 by=me at=1"}
    free: Told = {"limit": "pool:free", "capacity": -1}
    for limits in (limit_db(1), [newer], limit_db(2), [free]):
        assert back(alice, limits=limits).answers[1]["answer"] == "reasserted"
    assert calls.hash("limits") == {"pool:db": "7", "pool:free": "-1"}


def test_what_a_beat_tells_of_limits_can_be_reasserted_as_it_is(calls: Calls, alice: Session) -> None:
    alice.change({"limit": "pool:db", "kind": "set", "capacity": -1})
    held = alice.acquire("pool:db=1")
    limits = alice.send(Beat(0, 99, held=[number(held)])).answer["limits"]
    assert isinstance(limits, dict)
    lose_everything(calls)
    carried = [{"limit": name, **found} for name, found in limits.items()]
    assert back(alice, told(number(held)), limits=carried).answers[1]["answer"] == "reasserted"
    assert calls.usage("pool:db") == 1


@pytest.mark.parametrize(
    "bad",
    [
        *({**told(5), "token": value} for value in (2**53 + 1, "18446744073709551615", -1, True, "x", 1.5)),
        *({**told(5), "needs": value} for value in ("", "db", "pool:db=0", "pool:a=1\n")),
        {**told(5), "lease": 0},
        {**told(5), "since": -1},
        {**told(5), "holder": "a b"},
    ],
    ids=repr,
)
def test_one_bad_lease_refuses_the_list_and_nothing_is_written(calls: Calls, bad: Told) -> None:
    alice = calls.session("alice")
    lose_everything(calls)
    alice.send(begin(returning=True))
    before = calls.dump()
    answer = alice.send(Reassert([told(3), bad], limit_db(1), 9)).answer
    assert answer["answer"] == "refused", answer
    assert calls.dump() == before


def test_nothing_is_reasserted_after_the_grace_or_past_the_own_deadline(calls: Calls, alice: Session) -> None:
    assert alice.send(Reassert([told(3)])).answer["answer"] == "refused"
    lose_everything(calls)
    assert back(alice, told(3), alive=None).answers[1]["answer"] == "refused"
    end_grace(calls)
    assert alice.send(Reassert([told(3)])).answer["answer"] == "refused"
    assert calls.usage("pool:db") == 0


def test_a_session_returns_under_its_own_name_only_in_a_grace(calls: Calls, alice: Session) -> None:
    bob = Session(calls, "bob")
    assert bob.send(begin(returning=True)).answer["answer"] == "refused"
    lose_everything(calls)
    assert bob.send(begin(returning=True)).answer["answer"] == "begun"


def test_a_lease_reasserted_twice_is_held_once_and_tokens_rise_above_it(calls: Calls) -> None:
    alice = calls.session("alice")
    lose_everything(calls)
    high = 2**51
    back(alice, told(3, high), told(3, high))
    back(alice, told(3, high))
    assert calls.usage("pool:db") == 1
    end_grace(calls)
    assert int(str(alice.acquire("pool:db=1")["token"])) > high


def test_after_a_loss_the_longest_t_of_those_that_come_back_counts(calls: Calls) -> None:
    alice = calls.session("alice")
    lose_everything(calls)
    assert alice.send(begin(returning=True, ttl=30.0), longest=60.0).answer["ttl"] == 30
    assert calls.hash("meta")["ttl"] == "30000000"


@pytest.mark.parametrize("ahead", ["epoch", "clock"])
def test_data_behind_what_a_caller_saw_starts_a_new_epoch_above_both(calls: Calls, alice: Session, ahead: str) -> None:
    held = alice.acquire("pool:db=1")
    now = alice.ask()
    saw = {"epoch": now.epoch, "clock": now.clock} | {ahead: getattr(now, ahead) + 10_000_000}
    reply = alice.pack([], mark=alice.n + 1, **saw)
    assert reply.epoch > saw["epoch"]
    assert reply.clock > saw["clock"]
    assert reply.grace == pytest.approx(10, abs=0.1)
    assert not reply.lost
    assert str(held["n"]) in calls.hash("session:alice:leases")


def test_what_a_caller_saw_and_the_data_knows_starts_nothing(alice: Session) -> None:
    now = alice.ask()
    reply = alice.pack([], mark=alice.n + 1, epoch=now.epoch, clock=now.clock)
    assert (reply.epoch, reply.grace) == (now.epoch, None)


def test_another_server_id_starts_an_epoch_only_if_it_is_really_another(calls: Calls, alice: Session) -> None:
    now = alice.ask()
    same = alice.pack([], mark=alice.n + 1, server="0" * 40)
    assert (same.epoch, same.grace) == (now.epoch, None)
    assert calls.hash("meta")["server"] == calls.run_id
    calls.connection.hset(calls.key("meta"), "server", "f" * 40)
    other = alice.ask()
    assert other.epoch > now.epoch
    assert other.grace == pytest.approx(10, abs=0.1)
    assert calls.hash("meta")["server"] == calls.run_id


def test_a_new_epoch_gives_every_session_its_full_t(calls: Calls, alice: Session, bob: Session) -> None:
    meta = calls.key("meta")
    calls.connection.hset(meta, mapping={"since": -20_000_000, "server": "f" * 40})
    calls.connection.hset(calls.key("session:alice"), "expiry", 0)
    calls.connection.zadd(calls.key("sessions"), {"alice": 0})
    bob.ask()
    assert not alice.ask().lost


def test_a_second_epoch_in_a_grace_does_not_shorten_it(calls: Calls) -> None:
    alice = Session(calls, "alice")
    alice.send(begin(), longest=60.0)
    calls.connection.hset(calls.key("meta"), "server", "f" * 40)
    grace = alice.ask().grace
    assert grace is not None
    assert grace > 59


def test_a_step_back_of_the_wall_clock_starts_a_grace_and_no_epoch(calls: Calls, alice: Session) -> None:
    now = alice.ask()
    calls.connection.hset(calls.key("meta"), "wall", int((time.time() + 3600) * 1e6))
    reply = alice.send(Acquire("pool:db=1", "x"))
    assert reply.epoch == now.epoch
    assert reply.clock > now.clock
    assert reply.grace == pytest.approx(10, abs=0.1)
    assert reply.answer["answer"] == "waits"


@pytest.mark.parametrize(("ttl", "step"), [(10.0, 2.0), (60.0, 2.0), (5.0, 1.0), (1.0, 0.2)])
def test_the_lease_clock_steps_by_at_most_two_seconds_or_a_fifth_of_t(calls: Calls, ttl: float, step: float) -> None:
    calls.ttl = ttl
    alice = calls.session("alice")
    before = alice.ask().clock
    calls.connection.hset(calls.key("meta"), "wall", int((time.time() - 3600) * 1e6))
    reply = alice.ask()
    assert reply.clock - before == step * 1_000_000
    assert not reply.lost


def test_where_an_old_primary_may_acknowledge_a_gap_of_half_t_starts_an_epoch(calls: Calls, alice: Session) -> None:
    now = alice.ask()
    calls.connection.hset(calls.key("meta"), "wall", int((time.time() - 6) * 1e6))
    assert alice.ask().epoch == now.epoch
    calls.connection.hset(calls.key("meta"), "wall", int((time.time() - 6) * 1e6))
    reply = alice.pack([], mark=alice.n + 1, w=3.0)
    assert reply.epoch > now.epoch
    assert reply.grace == pytest.approx(13, abs=0.1)


@pytest.mark.parametrize("field", ["clock", "wall", "epoch"])
def test_a_fraction_that_a_hand_wrote_into_meta_goes_away(calls: Calls, alice: Session, field: str) -> None:
    calls.connection.hincrbyfloat(calls.key("meta"), field, 0.5)
    for _ in range(2):
        reply = alice.ask()
        assert (type(reply.epoch), type(reply.clock), reply.lost) == (int, int, False)


def test_an_epoch_that_cannot_be_read_begins_another_whoever_calls(calls: Calls, alice: Session) -> None:
    calls.connection.hset(calls.key("meta"), "epoch", "garbage")
    reply = Session(calls, "bob").send(begin(), epoch=0, clock=0)
    assert reply.grace is not None
    assert int(calls.hash("meta")["epoch"]) == reply.epoch > 0
