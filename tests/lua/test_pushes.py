"""Pushes: a grant is told in the moment it is made, and nothing is granted to whom nobody can tell."""

from __future__ import annotations

import msgpack

from tests.lua.harness import Calls, Session, number


def test_a_message_says_n_token_epoch_and_server(calls: Calls, alice: Session, bob: Session) -> None:
    held = alice.acquire("pool:db=1")
    waiting = bob.acquire("pool:db=1")
    with calls.listen("bob") as listener:
        reply = alice.release(held)
        message = listener.get_message(timeout=5)
    assert message is not None
    fields = msgpack.unpackb(message["data"])
    token = calls.hash("session:bob:leases")[str(waiting["n"])].split("token=")[1].split()[0]
    assert fields == {"n": waiting["n"], "token": token, "epoch": str(reply.epoch), "server": calls.run_id}
    assert int(token) > int(str(held["token"]))
    assert reply.granted == {}


def test_what_a_call_grants_to_its_own_session_rides_in_the_reply(calls: Calls, alice: Session) -> None:
    held, waiting = alice.acquire("pool:db=1"), alice.acquire("pool:db=1")
    with calls.listen("alice") as listener:
        assert set(alice.release(held).granted) == {waiting["n"]}
        assert listener.get_message(timeout=0.05) is None


def test_where_nobody_listens_nothing_is_granted_and_the_request_is_back_in_its_old_order(
    calls: Calls, alice: Session, bob: Session
) -> None:
    held = alice.acquire("pool:db=1")
    first = bob.acquire("pool:db=1")
    second = alice.acquire("pool:db=1")
    third = alice.acquire("pool:db=1")
    assert set(alice.release(held).granted) == {second["n"]}
    assert set(calls.hash("session:bob:aside")) == {str(first["n"])}
    assert bob.ask().granted == {}
    assert not calls.connection.exists(calls.key("session:bob:aside"))
    token = calls.hash("session:alice:leases")[str(second["n"])].split("token=")[1].split()[0]
    with calls.listen("bob"):
        assert alice.release({**second, "token": token}).granted == {}
    assert set(calls.hash("session:bob:leases")) == {str(first["n"])}
    assert set(calls.hash("session:alice:requests")) == {str(third["n"])}


def test_what_stands_aside_while_a_slot_is_free_is_granted_by_the_sessions_next_call(
    calls: Calls, alice: Session, bob: Session
) -> None:
    held = alice.acquire("pool:db=1")
    waiting = bob.acquire("pool:db=1")
    alice.release(held)
    assert calls.usage("pool:db") == 0
    assert set(bob.ask().granted) == {waiting["n"]}


def test_what_stands_aside_can_be_cancelled(calls: Calls, alice: Session, bob: Session) -> None:
    held = alice.acquire("pool:db=1")
    waiting = bob.acquire("pool:db=1")
    alice.release(held)
    assert bob.cancel(number(waiting)).granted == {}
    assert calls.usage("pool:db") == 0
    assert not [key for key in calls.dump() if key.startswith(("group", "waiters", "session:bob:"))]


def test_a_request_that_became_too_heavy_while_it_waited_is_told_so(calls: Calls, alice: Session, bob: Session) -> None:
    calls.limit(alice, db=2)
    held = alice.acquire("pool:db=2")
    waiting = bob.acquire("pool:db=2")
    calls.limit(alice, db=1)
    with calls.listen("bob") as listener:
        alice.release(held)
        message = listener.get_message(timeout=5)
    assert message is not None
    fields = msgpack.unpackb(message["data"])
    assert (fields["n"], fields["failed"]) == (waiting["n"], True)
    assert not calls.connection.exists(calls.key("places"))
