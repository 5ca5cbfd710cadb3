"""Ids: the same command twice is one command, late copies are refused, and giving back never fails."""

from __future__ import annotations

from semaphores.scripts.commands import Acquire, Beat, Cancel, End, Release, Revoke
from tests.lua.harness import Calls, Session, begin, number


def test_a_granted_acquire_sent_again_answers_the_same_token(calls: Calls, alice: Session) -> None:
    first = alice.acquire("pool:db=1")
    again = alice.send(Acquire("pool:db=1", "x"), numbers=[number(first)]).answer
    assert (again["answer"], again["token"]) == ("granted", first["token"])
    assert calls.usage("pool:db") == 1


def test_a_waiting_acquire_sent_again_keeps_its_order(calls: Calls, alice: Session, bob: Session) -> None:
    alice.acquire("pool:db=1")
    first = bob.acquire("pool:db=1")
    before = calls.dump()
    again = bob.send(Acquire("pool:db=1", "x"), numbers=[number(first)]).answer
    assert (again["answer"], again["order"]) == ("waits", first["order"])
    assert calls.dump() == before


def test_a_refused_try_sent_again_does_not_take_what_became_free(calls: Calls, alice: Session, bob: Session) -> None:
    held = alice.acquire("pool:db=1")
    tried = bob.acquire("pool:db=1", once=True)
    assert (tried["answer"], tried["limit"], tried["used"], tried["capacity"]) == ("full", "pool:db", 1, 1)
    alice.release(held)
    assert bob.send(Acquire("pool:db=1", "x", try_=True), numbers=[number(tried)]).answer["answer"] == "over"
    assert calls.usage("pool:db") == 0


def test_two_copies_in_one_call_are_one(calls: Calls, alice: Session) -> None:
    calls.limit(alice, db=2)
    needs = Acquire("pool:db=1", "x")
    one, two = alice.send(needs, needs, numbers=[50, 50]).answers
    assert one == two
    assert calls.usage("pool:db") == 1


def test_a_late_copy_below_the_mark_is_refused_seen_or_not(calls: Calls, alice: Session) -> None:
    alice.send(Acquire("pool:db=1", "x"), numbers=[50], mark=50)
    alice.release({"n": 50, "token": calls.hash("session:alice:leases")["50"].split("token=")[1].split()[0]})
    alice.send(mark=90)
    for n in (50, 89):
        answer = alice.send(Acquire("pool:db=1", "x"), numbers=[n], mark=n).answer
        assert answer["answer"] == "refused", n
    assert calls.usage("pool:db") == 0


def test_a_number_that_was_skipped_may_still_come_while_it_is_above_the_mark(alice: Session) -> None:
    alice.send(Acquire("pool:x=1", "x"), numbers=[50], mark=40)
    assert alice.send(Acquire("pool:x=1", "x"), numbers=[45], mark=40).answer["answer"] == "granted"


def test_a_cancel_that_overtakes_its_acquire_holds(calls: Calls, alice: Session) -> None:
    assert alice.send(Cancel(50), numbers=[51], mark=50).answer["answer"] == "cancelled"
    assert alice.send(Acquire("pool:db=1", "x"), numbers=[50], mark=50).answer["answer"] == "over"
    assert calls.usage("pool:db") == 0


def test_a_cancel_beside_its_acquire_in_one_call_holds(calls: Calls, alice: Session) -> None:
    answers = alice.send(Acquire("pool:db=1", "x"), Cancel(50), numbers=[50, 51]).answers
    assert [answer["answer"] for answer in answers] == ["over", "cancelled"]
    assert calls.usage("pool:db") == 0


def test_a_cancelled_grant_is_given_back_and_stays_over(calls: Calls, alice: Session) -> None:
    held = alice.acquire("pool:db=1")
    alice.send(Cancel(number(held)), mark=number(held))
    assert calls.usage("pool:db") == 0
    again = alice.send(Acquire("pool:db=1", "x"), numbers=[number(held)], mark=number(held)).answer
    assert again["answer"] == "over"


def test_release_needs_the_right_token_and_twice_is_no_error(calls: Calls, alice: Session) -> None:
    held = alice.acquire("pool:db=1")
    assert alice.release({**held, "token": "12345"}).answer["answer"] == "gone"
    assert calls.usage("pool:db") == 1
    assert alice.release(held).answer["answer"] == "released"
    assert alice.release(held).answer["answer"] == "gone"
    twice = alice.acquire("pool:db=1")
    given = Release(number(twice), str(twice["token"]))
    assert [a["answer"] for a in alice.send(given, given).answers] == ["released", "gone"]
    assert calls.usage("pool:db") == 0


def test_nobody_releases_a_lease_of_another_session(calls: Calls, alice: Session, bob: Session) -> None:
    held = alice.acquire("pool:db=1")
    assert bob.release(held).answer["answer"] == "gone"
    assert calls.usage("pool:db") == 1


def test_end_gives_everything_back_and_to_those_who_wait_in_the_same_call(
    calls: Calls, alice: Session, bob: Session
) -> None:
    alice.acquire("pool:db=1")
    alice.acquire("pool:db=1")
    waiting = bob.acquire("pool:db=1")
    with calls.listen("bob"):
        assert alice.send(Acquire("pool:x=1", "x"), End()).answers[1]["answer"] == "ended"
    assert str(number(waiting)) in calls.hash("session:bob:leases")
    left = [key for key in calls.dump() if "alice" in key]
    assert left == []
    assert alice.ask().lost


def test_begin_replaces_ends_the_old_session_there_and_then(calls: Calls, alice: Session) -> None:
    alice.acquire("pool:db=1")
    heir = Session(calls, "heir")
    answers = heir.send(begin(replaces="alice"), Acquire("pool:db=1", "x")).answers
    assert [answer["answer"] for answer in answers] == ["begun", "granted"]
    assert alice.ask().lost


def test_an_expired_session_is_dead_before_it_is_reaped_and_never_renewed(
    calls: Calls, alice: Session, bob: Session
) -> None:
    alice.acquire("pool:db=1")
    expire(calls, "alice", reaped=False)
    reply = alice.send(Acquire("pool:other=1", "x"), Beat(0, 99))
    assert reply.lost
    assert reply.answers == ()
    assert calls.usage("pool:other") == 0
    again = alice.send(begin())
    assert (again.lost, again.answer["answer"]) == (True, "refused")
    assert bob.ask().lost is False


def test_a_late_begin_never_brings_an_ended_session_to_life_while_it_is_reaped(calls: Calls, alice: Session) -> None:
    calls.limit(alice, db=1000)
    bob = calls.session("bob")
    for _ in range(3):
        alice.send(*[Acquire("pool:db=1", "x")] * 256)
    assert bob.send(Beat(0, 0, gone={"alice": "1:1"})).more
    assert 0 < calls.usage("pool:db") < 768
    assert alice.send(begin()).lost
    while bob.ask().more:
        assert alice.send(begin()).lost
    assert calls.usage("pool:db") == 0


def test_reaping_a_session_of_1000_leases_is_bounded_and_says_more(calls: Calls, alice: Session) -> None:
    calls.limit(alice, db=2000)
    for _ in range(4):
        alice.send(*[Acquire("pool:db=1", "x")] * 250)
    bob = calls.session("bob")
    expire(calls, "alice")
    freed, more = [], True
    while more:
        before = calls.usage("pool:db")
        more = bob.ask().more
        freed.append(before - calls.usage("pool:db"))
    assert sum(freed) == 1000
    assert max(freed) <= 520, f"{freed} leases a call"
    assert not [key for key in calls.dump() if "alice" in key]


def test_what_a_window_does_not_list_is_given_back_and_what_the_server_lacks_is_unknown(
    calls: Calls, alice: Session
) -> None:
    kept, lost = alice.acquire("pool:db=1"), alice.acquire("pool:x=1")
    answer = alice.send(Beat(1, 99, held=[number(kept), 2]), mark=alice.n + 1).answer
    assert answer["unknown"] == [2]
    assert set(calls.hash("session:alice:leases")) == {str(number(kept))}
    assert calls.usage("pool:x") == 0
    assert number(lost) not in (number(kept), 2)


def test_a_window_gives_back_nothing_at_or_above_the_mark_or_outside(calls: Calls, alice: Session) -> None:
    first, second = alice.acquire("pool:db=1"), alice.acquire("pool:x=1")
    alice.send(Beat(0, number(first) - 1), mark=99)
    alice.send(Beat(0, 99), mark=number(first))
    assert set(calls.hash("session:alice:leases")) == {str(number(first)), str(number(second))}


def test_a_revoked_lease_is_told_and_freed_by_its_holder_or_at_once(calls: Calls, alice: Session, bob: Session) -> None:
    held = alice.acquire("pool:db=1")
    name = f"alice/{held['n']}"
    assert bob.send(Revoke(name, "bob")).answer["freed"] is False
    assert calls.usage("pool:db") == 1
    assert alice.send(Beat(0, 99, held=[number(held)])).answer["revoked"] == [{"n": held["n"], "by": "bob"}]
    assert bob.send(Revoke(name, "bob", at_once=True)).answer["freed"] is True
    assert calls.usage("pool:db") == 0
    assert bob.send(Revoke(name, "bob")).answer["answer"] == "missing"


def test_a_revoked_lease_whose_holder_stays_silent_is_free_after_its_t(
    calls: Calls, alice: Session, bob: Session
) -> None:
    held = alice.acquire("pool:db=1")
    bob.send(Revoke(f"alice/{held['n']}", "bob"))
    calls.connection.zadd(calls.key("timers"), {f"revoked alice/{held['n']}": 0})
    calls.connection.hset(calls.key("meta"), "next", 0)
    assert bob.acquire("pool:db=1")["answer"] == "granted"
    assert not calls.connection.exists(calls.key("timers"))


def expire(calls: Calls, name: str, *, reaped: bool = True) -> None:
    """Set a session's expiry back, as if the lease clock had passed it."""
    calls.connection.hset(calls.key("meta"), "since", -20_000_000)
    calls.connection.hset(calls.key(f"session:{name}"), "expiry", 0)
    if reaped:
        calls.connection.zadd(calls.key("sessions"), {name: 0})
        calls.connection.hset(calls.key("meta"), "next", 0)
