"""Status: what the views tell is what the server has, looking changes nothing, and no call is ever long."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest

from semaphores.scripts.asking import Question, Reply, drive_async
from semaphores.scripts.commands import Acquire, Revoke
from semaphores.status import LimitStatus, audit, leases, requests, sessions, status, summary
from tests.lua.harness import Calls, Session, begin, number
from tests.promises.reading import Reading


@pytest.fixture
def session(calls: Calls) -> Session:
    return calls.session("a")


def by_name(read: Reading) -> dict[str, LimitStatus]:
    return {limit.limit: limit for limit in read(status())}


def just_now(moment: datetime | None) -> bool:
    return moment is not None and abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_a_limit_shows_capacity_usage_and_who_waits(session: Session, read: Reading) -> None:
    session.change({"limit": "pool:db", "kind": "set", "capacity": 2, "description": "one writer, one reader"})
    session.acquire("pool:db=2")
    session.acquire("pool:db=1")
    session.acquire("pool:db=2")
    db = by_name(read)["pool:db"]
    assert (db.capacity, db.used, db.waiting, db.free) == (2, 2, 2, 0)
    assert (db.name, db.kind, db.description, db.origin) == ("pool 'db'", "pool", "one writer, one reader", "hand")
    assert db.oldest_wait is not None
    assert 0 <= db.oldest_wait < 60
    assert not db.paused
    assert not db.default


def test_what_is_held_without_a_capacity_is_shown_as_unlimited(session: Session, read: Reading) -> None:
    session.acquire("pool:free=3 tag:team=1")
    shown = by_name(read)
    assert {name: (limit.capacity, limit.used) for name, limit in shown.items()} == {
        "pool:free": (None, 3),
        "tag:team": (None, 1),
    }


def test_a_capacity_from_a_rule_says_so(session: Session, read: Reading) -> None:
    session.change(
        {"limit": "pool:*", "kind": "set", "capacity": 3},
        {"limit": "tag:team=*", "kind": "set", "capacity": 2},
        {"limit": "tag:team=ops", "kind": "set", "capacity": 9},
        {"limit": "pool:own", "kind": "set", "capacity": 1},
    )
    session.acquire("pool:own=1 pool:other=1 tag:team=ops=1")
    shown = by_name(read)
    assert (shown["pool:other"].capacity, shown["pool:other"].default) == (3, True)
    assert (shown["pool:own"].capacity, shown["pool:own"].default) == (1, False)
    assert (shown["tag:team=ops"].capacity, shown["tag:team=ops"].default) == (2, True)
    assert (shown["pool:*"].capacity, shown["pool:*"].is_rule, shown["pool:*"].used) == (3, True, 0)


def test_a_paused_limit_shows_what_comes_back(session: Session, read: Reading) -> None:
    session.change({"limit": "pool:db", "kind": "set", "capacity": 5})
    session.change({"limit": "pool:db", "kind": "pause"}, {"limit": "pool:new", "kind": "pause"})
    shown = by_name(read)
    assert (shown["pool:db"].paused, shown["pool:db"].capacity, shown["pool:db"].paused_from) == (True, 0, 5)
    assert shown["pool:new"].paused_from == -1, "it had no capacity before"


def test_the_oldest_wait_is_the_oldest_whatever_the_priorities(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    old = session.acquire("pool:db=1", priority=-5)
    session.acquire("pool:db=1", priority=10)
    key = calls.key("session:a:requests")
    line = calls.hash("session:a:requests")[str(number(old))]
    since = line.partition("since=")[2].split()[0]
    calls.connection.hset(key, str(number(old)), line.replace(since, str(int(since) - 90_000)))
    oldest = by_name(read)["pool:db"].oldest_wait
    assert oldest is not None
    assert 90 <= oldest < 150


def test_a_lease_shows_who_holds_what_since_when(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    held = session.acquire("pool:db=1 pool:free=2")
    (lease,) = read(leases())
    assert (lease.id, lease.slots) == (f"a/{number(held)}", {"pool:db": 1, "pool:free": 2})
    assert (lease.token, lease.holder, lease.host) == (int(str(held["token"])), "host:1:a", "somewhere")
    assert just_now(lease.since)
    assert lease.held_for is not None
    assert lease.held_for < 60
    assert lease.heartbeat_age is not None
    assert lease.heartbeat_age < 10
    assert lease.alive
    assert lease.revoked is None
    assert lease.session == "a"
    assert (
        [each.id for each in read(leases("pool:free"))] == [each.id for each in read(leases("pool:db"))] == [lease.id]
    )
    assert read(leases("pool:none")) == ()


def test_a_revoked_lease_says_by_whom(session: Session, calls: Calls, read: Reading) -> None:
    held = session.acquire("pool:db=1")
    calls.session("boss").send(Revoke(f"a/{number(held)}", "operator"))
    assert [lease.revoked for lease in read(leases())] == ["operator"]


def test_requests_stand_in_their_order(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1, api=1)
    session.acquire("pool:db=1")
    session.acquire("pool:api=1")
    other = calls.session("b")
    second = session.acquire("pool:db=1")
    first = other.acquire("pool:db=1 pool:free=1", priority=7)
    alone = other.acquire("pool:api=1")
    shown = {request.id: request for request in read(requests())}
    assert shown[f"b/{number(first)}"].position == 1
    assert shown[f"b/{number(first)}"].priority == 7
    assert shown[f"a/{number(second)}"].position == 2
    assert shown[f"a/{number(second)}"].blocked_by == "pool:db"
    assert shown[f"b/{number(alone)}"].position == 1
    assert just_now(shown[f"a/{number(second)}"].since)
    assert [request.id for request in read(requests("pool:free"))] == [f"b/{number(first)}"]


def test_a_request_that_stands_aside_waits_in_no_line(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    held = session.acquire("pool:db=1")
    deaf = calls.session("deaf")
    deaf.acquire("pool:db=1")
    session.release(held)
    (request,) = read(requests())
    assert (request.blocked_by, request.position) == (None, None)
    assert next(each for each in read(sessions()) if each.id == "deaf").waiting == 1


def test_a_session_shows_its_process(calls: Calls, read: Reading) -> None:
    calls.session("x").send(begin())
    calls.session("y").acquire("pool:db=1")
    shown = {each.id: each for each in read(sessions())}
    assert (shown["x"].host, shown["x"].program, shown["x"].pids) == ("somewhere", "test", (1,))
    assert just_now(shown["x"].started)
    assert shown["x"].alive
    assert (shown["x"].leases, shown["y"].leases) == (0, 1)


def test_a_session_past_its_expiry_is_not_alive(session: Session, calls: Calls, read: Reading) -> None:
    calls.connection.hset(calls.key("session:a"), "expiry", "1")
    calls.connection.hset(calls.key("meta"), "since", "0")
    calls.connection.hset(calls.key("meta"), "clock", "20000000")
    (shown,) = read(sessions())
    assert not shown.alive
    assert shown.heartbeat_age is not None
    assert shown.heartbeat_age > 20


def test_the_namespace_shows_epoch_clock_and_grace(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    shown = read(summary())
    assert (shown.exists, shown.schema, shown.config, shown.ttl) == (True, 1, 1, 10.0)
    assert shown.server == calls.run_id
    assert shown.epoch > 10**15
    assert (shown.grace, shown.sessions, shown.places, shown.broken) == (None, 1, 0, 0)
    assert shown.quiet < 60
    calls.connection.hset(calls.key("meta"), "grace", int(calls.hash("meta")["clock"]) + 3_000_000)
    assert read(summary()).grace == pytest.approx(3.0)


def test_a_namespace_that_nobody_used_is_empty(read: Reading) -> None:
    assert read(status()) == ()
    assert read(leases()) == ()
    assert read(requests()) == ()
    assert read(sessions()) == ()
    assert read(audit()) == ()
    assert read(summary()).exists is False


def test_looking_changes_nothing(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    session.acquire("pool:db=1")
    before, meta, mine = calls.dump(), calls.hash("meta"), calls.hash("session:a")
    for view in (status(), leases(), requests(), sessions(), summary(), audit()):
        read(view)
    read.examine()
    assert (calls.dump(), calls.hash("meta"), calls.hash("session:a")) == (before, meta, mine)


def test_the_audit_tells_who_changed_what(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    calls.limit(session, db=2)
    latest, first = read(audit())
    assert (latest.what, latest.before, latest.after, latest.by) == ("set pool:db", "1", "2", "me")
    assert (first.before, first.after, first.details) == ("none", "1", {"origin": "hand"})
    assert just_now(latest.at)
    assert read(audit(1)) == (latest,)


def test_the_audit_is_read_page_by_page(session: Session, calls: Calls, read: Reading) -> None:
    pipeline = calls.connection.pipeline()
    for n in range(1200):
        pipeline.xadd(calls.key("audit"), {"what": f"set pool:{n}"})
    pipeline.execute()
    assert [entry.what for entry in read(audit(1100))] == [f"set pool:{n}" for n in range(1199, 99, -1)]


def test_5000_limits_are_all_shown_page_by_page(session: Session, calls: Calls, read: Reading) -> None:
    calls.connection.hset(calls.key("limits"), mapping={f"pool:p{n}": n for n in range(5000)})
    shown = by_name(read)
    assert {name: limit.capacity for name, limit in shown.items()} == {f"pool:p{n}": n for n in range(5000)}
    assert read.most_rows <= 512, "the server serves nobody else during a call"


def test_10000_waiters_are_all_shown_page_by_page(session: Session, calls: Calls, read: Reading) -> None:
    calls.limit(session, db=1)
    for _ in range(40):
        session.send(*[Acquire("pool:db=1", "host:1:a")] * 250)
    assert by_name(read)["pool:db"].waiting == 9_999
    found = read(requests())
    assert [request.position for request in found] == list(range(1, 10_000))
    assert read.most_rows <= 512, "the server serves nobody else during a call"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_view_is_read_from_an_event_loop(session: Session, calls: Calls, read: Reading, backend: str) -> None:
    calls.limit(session, db=1)

    async def ask(question: Question) -> Reply:
        await anyio.lowlevel.checkpoint()
        return read.ask(question)

    async def both() -> tuple[LimitStatus, ...]:
        return await drive_async(status(), ask)

    assert [limit.limit for limit in anyio.run(both, backend=backend)] == ["pool:db"]
