"""Why: what blocks a request is named with who holds it, since when and the position in line."""

from __future__ import annotations

import pytest

from semaphores.errors import NotFound
from semaphores.why import LeaseWhy, LimitWhy, RequestWhy, SessionWhy, why
from tests.lua.harness import Calls, Session, number
from tests.promises.reading import Reading


@pytest.fixture
def session(calls: Calls) -> Session:
    return calls.session("a")


def why_waiting(read: Reading, session: Session, answer: dict[str, object] | object) -> RequestWhy:
    assert isinstance(answer, dict)
    assert answer["answer"] == "waits"
    found = read(why(f"{session.name}/{answer['n']}"))
    assert isinstance(found, RequestWhy)
    return found


def test_a_full_limit_names_its_holders_oldest_first(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=3)
    held = [session.acquire("pool:db=2"), calls.session("b").acquire("pool:db=1")]
    found = why_waiting(read, session, session.acquire("pool:db=1 pool:free=1"))
    blocker = found.blocker
    assert blocker is not None
    assert (blocker.limit, blocker.state, blocker.used, blocker.capacity) == ("pool:db", "full", 3, 3)
    assert [holder.lease for holder in blocker.holders] == [f"a/{number(held[0])}", f"b/{number(held[1])}"]
    assert found.request.position == 1
    assert {need.limit: need.state for need in found.needs} == {"pool:db": "full", "pool:free": "free"}
    assert "number 1 in line for pool 'db': 3 of 3 held, full; held by host:1:a, 0." in str(found)


def test_ten_holders_are_named_at_most(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=12)
    for _ in range(12):
        session.acquire("pool:db=1")
    found = why_waiting(read, session, session.acquire("pool:db=1"))
    assert found.blocker is not None
    assert len(found.blocker.holders) == 10


def test_the_position_counts_those_before(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    session.acquire("pool:db=1")
    last = session.acquire("pool:db=1")
    assert why_waiting(read, session, last).request.position == 2
    session.acquire("pool:db=1", priority=9)
    found = why_waiting(read, session, last)
    assert found.request.position == 3
    assert "; 2 before it in line" in str(found)


def test_others_before_it_block_it_though_there_is_room(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=2)
    session.acquire("pool:db=1")
    session.acquire("pool:db=2")
    found = why_waiting(read, session, session.acquire("pool:db=1"))
    assert found.blocker is not None
    assert (found.blocker.state, found.blocker.used, found.blocker.capacity) == ("line", 1, 2)
    assert "others wait first" in str(found)


def test_a_paused_limit_says_so(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    session.change({"limit": "pool:db", "kind": "pause"})
    found = why_waiting(read, session, session.acquire("pool:db=1"))
    assert found.blocker is not None
    assert found.blocker.state == "paused"
    assert "resumed" in str(found)


def test_room_kept_for_a_request_that_was_passed_over_is_told(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, a=1, b=1)
    both = session.acquire("pool:a=1")
    wide = session.acquire("pool:a=1 pool:b=1")
    group = calls.hash("session:a:requests")[str(number(wide))].partition("group=")[2].split()[0]
    meta = {"reserving": group, "reserving_until": str(int(calls.hash("meta")["clock"]) + 10**8)}
    calls.connection.hset(calls.key("meta"), mapping=meta)
    found = why_waiting(read, session, session.acquire("pool:b=1"))
    assert found.blocker is not None
    assert (found.blocker.state, found.blocker.used) == ("reserved", 0)
    assert both["answer"] == "granted"


def test_in_a_grace_it_is_the_grace(calls: Calls, read: Reading) -> None:
    session = calls.session("a", init=False)
    calls.limit(session, db=1)
    found = why_waiting(read, session, session.acquire("pool:db=1"))
    assert found.grace is not None
    assert 0 < found.grace <= 10
    assert "nothing is granted for another" in str(found)


def test_a_request_aside_says_that_its_process_does_not_listen(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    held = session.acquire("pool:db=1")
    deaf = calls.session("deaf")
    waits = deaf.acquire("pool:db=1")
    session.release(held)
    found = why_waiting(read, deaf, waits)
    assert found.blocker is None
    assert "stands aside" in str(found)


def test_a_lease_is_granted_since_then_with_its_token(session: Session, calls: Calls, read: Reading) -> None:
    held = session.acquire("pool:db=2")
    found = read(why(f"a/{number(held)}"))
    assert isinstance(found, LeaseWhy)
    assert found.lease.token == int(str(held["token"]))
    assert f"lease a/{number(held)} is granted since 20" in str(found)
    assert f"pool 'db' x 2, token {held['token']}" in str(found)


def test_a_session_shows_what_it_has(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    held, waits = session.acquire("pool:db=1"), session.acquire("pool:db=1")
    found = read(why("a"))
    assert isinstance(found, SessionWhy)
    assert [lease.id for lease in found.leases] == [f"a/{number(held)}"]
    assert [(one.id, one.blocked_by) for one in found.requests] == [(f"a/{number(waits)}", "pool:db")]
    assert "1 leases, 1 requests waiting" in str(found)


@pytest.mark.parametrize("name", ["pool:db", "db"])
def test_a_limit_shows_who_holds_and_who_waits(session: Session, calls: Calls, read: Reading, name: str) -> None:
    calls.limit(session, db=1)
    held, waits = session.acquire("pool:db=1"), session.acquire("pool:db=1")
    found = read(why(name))
    assert isinstance(found, LimitWhy)
    assert [lease.id for lease in found.leases] == [f"a/{number(held)}"]
    assert [one.id for one in found.requests] == [f"a/{number(waits)}"]
    assert str(found) == "pool 'db': 1 of 1 held, 1 waiting"


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("databse", "pool:database"),
        ("pool:databas", "pool:database"),
        ("worker-seven", "worker-7even"),
        ("worker-7even/11", "worker-7even/1"),
        ("worker-6even/1", "worker-7even"),
        ("nothing like it at all", None),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    calls: Calls, read: Reading, asked: str, nearest: str | None
) -> None:
    session = calls.session("worker-7even")
    calls.limit(session, database=1)
    session.acquire("pool:other=1")
    with pytest.raises(NotFound) as caught:
        read(why(asked))
    expected = nearest and nearest.replace("worker-7even/1", f"worker-7even/{session.n}")
    assert caught.value.nearest == expected
