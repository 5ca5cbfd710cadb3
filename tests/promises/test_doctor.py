"""Doctor: a healthy namespace has no finding, every lost key is found, and what is repaired goes on."""

from __future__ import annotations

import pytest

from semaphores import connect
from semaphores.doctor import examine
from semaphores.scripts.asking import Question, Reply, drive
from semaphores.scripts.commands import Acquire, Beat, Release
from tests.lua.harness import Calls, Session, begin, number
from tests.promises.reading import Reading
from tests.promises.town import Town, every_finding, lose, settle, stored
from tests.servers import Server, start_server


def test_a_healthy_namespace_has_no_finding(town: Town, read: Reading) -> None:
    assert town.silent["answer"] == "waits"
    assert read.examine() == ()


def test_an_empty_namespace_has_no_finding(read: Reading) -> None:
    assert read.examine() == ()


KEYS = sorted(
    {
        *("meta", "limits", "limits:info", "audit", "sessions", "places", "timers", "host:h"),
        *(
            "session:a",
            "session:b",
            "session:c",
            "session:d",
            "session:a:leases",
            "session:b:leases",
            "session:b:requests",
        ),
        *("session:c:aside", "slots:pool:db", "slots:pool:free", "slots:tag:team", "slots:pool:once"),
        *("waiters:pool:db", "waiters:pool:slow"),
    }
)


def test_the_list_of_keys_is_all_there_is(town: Town, calls: Calls) -> None:
    kept = {key for key in stored(calls) if not key.startswith("group:")}
    assert kept == set(KEYS), "a new key must be in the list above, and doctor must find its loss"


@pytest.mark.parametrize("key", KEYS)
def test_a_lost_key_is_found_and_mended(town: Town, read: Reading, calls: Calls, key: str) -> None:
    lose(calls, key)
    assert read.examine(), f"the loss of {key} was not found"
    left = read.mend()
    assert left == (), f"after the loss of {key}: {[str(finding) for finding in left]}"
    check_all_goes_on(town, calls, read, key)


def test_every_lost_group_key_is_found_and_mended(server: Server, namespace: str) -> None:
    groups = 0
    while True:
        calls = Calls(server, f"{namespace}-{groups}")
        town, read = Town(calls), Reading(calls)
        keys = sorted(key for key in stored(calls) if key.startswith("group:"))
        if groups >= len(keys):
            break
        lose(calls, keys[groups])
        assert read.examine(), f"the loss of {keys[groups]} was not found"
        assert read.mend() == ()
        check_all_goes_on(town, calls, read, keys[groups])
        town.close()
        calls.close()
        groups += 1
    assert groups == 6, "three groups of two keys each wait here"


def check_all_goes_on(town: Town, calls: Calls, read: Reading, key: str) -> None:
    """Usage is what the leases say; a release hands over to the first who waits; and nothing is over-admitted."""
    if key == "meta":  # a new epoch: its grace ends at once here, holders were asked nothing
        calls.connection.hset(calls.key("meta"), "grace", calls.hash("meta")["clock"])
    assert calls.usage("pool:db") == 2
    assert calls.usage("pool:free") == 3
    gone = [] if key != "session:b:requests" else town.waits
    urgent = town.waits[1]
    if not gone:
        lease = calls.hash("session:a:leases")[str(number(town.held))]
        token = lease.partition("token=")[2].split()[0]
        town.a.send(Release(number(town.held), token))
        settle(town.a)
        assert str(number(urgent)) in calls.hash("session:b:leases"), f"{key}: the urgent one was not granted"
        assert calls.usage("pool:db") == 2, calls.dump()
    town.c.ask()  # it is heard of again
    settle(town.a)
    assert calls.usage("pool:api") <= 1
    assert calls.usage("pool:slow") == 0
    assert read.examine() == ()


def test_an_orphaned_slot_of_a_living_holder_stays_taken_until_its_beat(
    town: Town, read: Reading, calls: Calls
) -> None:
    lose(calls, "session:a:leases")
    found = read.examine()
    assert any("cannot be rebuilt as it was" in finding.detail for finding in found)
    read.repair(found)
    assert calls.usage("pool:db") == 2
    beat = town.a.send(Beat(0, 1000, held=[number(town.wide)]), numbers=[0], mark=town.a.n + 1)
    assert "unknown" not in beat.answer
    assert calls.usage("pool:db") == 2, "its two slots went to those who waited"
    assert str(number(town.held)) not in calls.hash("session:a:leases")


def test_a_beat_before_the_repair_is_told_that_its_lease_is_unknown(town: Town, read: Reading, calls: Calls) -> None:
    lose(calls, "session:a:leases")
    held = [number(town.held), number(town.wide)]
    beat = town.a.send(Beat(0, 1000, held=held), numbers=[0], mark=town.a.n + 1)
    assert beat.answer["unknown"] == held
    assert read.mend() == ()


def test_what_is_right_is_left_alone(town: Town, read: Reading, calls: Calls) -> None:
    """A finding may be over when its repair comes: each repair looks once more, so none of these changes anything."""
    before = calls.dump()
    mended = read.repair(tuple(every_finding(calls)))
    assert mended.done > 40
    assert mended.failed == ()
    after = calls.dump()
    assert after.pop("undrained") is not None, "all places are tried once more"
    assert after == before


def test_slots_of_the_dead_without_a_lease_are_freed(town: Town, read: Reading, calls: Calls) -> None:
    calls.connection.zadd(calls.key("slots:pool:api"), {"nobody/7": 1})
    assert [finding.what for finding in read.examine()] == ["slot_orphan"]
    assert read.mend() == ()
    assert not calls.connection.zscore(calls.key("slots:pool:api"), "nobody/7")


@pytest.mark.parametrize(
    "key", ["slots:pool:db", "places", "host:h", "waiters:pool:db", "limits:info", "session:b:requests"]
)
def test_a_key_of_a_wrong_type_is_replaced(town: Town, read: Reading, calls: Calls, key: str) -> None:
    calls.connection.delete(calls.key(key))
    calls.connection.set(calls.key(key), "by hand")
    assert "wrong_type" in {finding.what for finding in read.examine()}
    assert read.mend(4) == ()
    check_all_goes_on(town, calls, read, key)


def test_a_limit_that_the_audit_does_not_tell_is_left_to_people(town: Town, read: Reading, calls: Calls) -> None:
    lose(calls, "limits")
    lose(calls, "audit")
    left = read.mend()
    assert {finding.facts["name"] for finding in left} >= {"pool:db", "pool:api"}
    assert all(finding.repair is False and "set it again" in finding.detail for finding in left)


def test_a_lost_limit_comes_back_as_it_was(town: Town, read: Reading, calls: Calls) -> None:
    before = calls.hash("limits")
    lose(calls, "limits")
    assert read.mend() == ()
    assert calls.hash("limits") == before


def test_a_pause_outlives_the_loss_of_what_is_known_of_limits(town: Town, read: Reading, calls: Calls) -> None:
    lose(calls, "limits:info")
    assert read.mend() == ()
    town.a.change({"limit": "pool:slow", "kind": "resume"})
    assert calls.hash("limits")["pool:slow"] == "4"


def test_newcomers_do_not_pass_those_who_waited_before_meta_was_lost(calls: Calls, read: Reading) -> None:
    first = calls.session("a")
    calls.limit(first, db=1)
    held, waits = first.acquire("pool:db=1"), first.acquire("pool:db=1")
    lose(calls, "meta")
    assert read.mend() == ()
    late = first.acquire("pool:db=1")
    assert int(str(late["order"])) > int(str(waits["order"]))
    assert calls.hash("session:a:leases").keys() == {str(number(held))}


def test_a_clock_that_began_anew_is_set_above_what_is_stored(calls: Calls, read: Reading) -> None:
    calls.session("y")
    calls.connection.hset(calls.key("meta"), "clock", 10**12)
    session = calls.session("a")
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    lose(calls, "meta")
    calls.session("z", init=False)  # a client that never saw this namespace begins the epoch
    assert "meta_behind" in {finding.what for finding in read.examine()}
    assert read.mend() == ()
    assert int(calls.hash("meta")["clock"]) >= 10**12
    assert session.ask().grace is not None


def test_whoever_could_go_on_and_is_not_tried_is_found(calls: Calls, read: Reading) -> None:
    session = calls.session("a")
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    waits = session.acquire("pool:db=1")
    calls.connection.hset(calls.key("limits"), "pool:db", 2)  # by hand: nobody is told
    assert [finding.what for finding in read.examine()] == ["stalled"]
    assert read.mend() == ()  # marked: the next call of anybody works it off
    assert session.ask().granted.keys() == {number(waits)}
    assert read.examine() == ()


def test_what_could_not_be_worked_off_is_told(calls: Calls, read: Reading) -> None:
    session = calls.session("a")
    calls.limit(session, db=1)
    calls.connection.hset(calls.key("broken"), "waiters:pool:x", "WRONGTYPE")
    (finding,) = read.examine()
    assert "WRONGTYPE" in finding.detail
    assert read.mend() == ()


def test_a_living_namespace_gives_no_false_alarm(calls: Calls, read: Reading) -> None:
    """Examined between any two questions' moments, while leases come and go."""
    sessions = [calls.session(name) for name in "abc"]
    calls.limit(sessions[0], db=2, api=1)
    held: list[tuple[Session, dict[str, object]]] = []
    step = 0

    def live() -> None:
        nonlocal step
        step += 1
        session = sessions[step % 3]
        answer = dict(session.acquire(("pool:db=1", "pool:api=1 pool:db=1")[step % 2]))
        if answer["answer"] == "granted":
            held.append((session, answer))
        else:
            session.cancel(number(answer))
        if len(held) > 1:
            owner, lease = held.pop(0)
            owner.release(lease)

    def ask(question: Question) -> Reply:
        live()
        return read.ask(question)

    for _ in range(20):
        assert drive(examine(), ask) == ()


def test_a_big_namespace_is_examined_in_bounded_steps(calls: Calls, read: Reading) -> None:
    session = calls.session("a")
    calls.limit(session, db=1)
    session.acquire("pool:db=1")
    pipeline = calls.connection.pipeline()
    for n in range(10, 3010):
        line = f"pool:wide=1 token={n} holder=h:1:t since=1000"
        pipeline.hset(calls.key("session:a:leases"), str(n), line)
        pipeline.zadd(calls.key("slots:pool:wide"), {f"a/{n}": 1000})
    pipeline.execute()
    for n in range(20):
        calls.session(f"s{n}").send(*[Acquire(f"pool:wide=1 pool:w{n}=3", "h:1:t")] * 15)
    assert read.examine() == ()
    assert read.asked > 40, "pages of some 100 entries each"


def test_begin_names_the_host_of_the_session(calls: Calls, read: Reading) -> None:
    calls.session("a").send(begin())
    lose(calls, "host:h")
    assert [finding.what for finding in read.examine()] == ["host_missing"]
    assert read.mend() == ()
    assert calls.connection.smembers(calls.key("host:h")) == {b"a"}


def test_libraries_that_other_versions_left_are_named() -> None:
    with start_server() as server, server.client() as raw, connect(server.url, init=True) as client:

        def noted() -> list[str]:
            return [found.detail for found in client.examine() if found.key == "libraries"]

        client.limits.set("pool:db", 1)
        assert noted() == []
        raw.function_load("#!lua name=semaphores_0\nredis.register_function('semaphores_0_call', function() end)")
        assert len(noted()) == 1
        assert noted()[0].endswith("FUNCTION DELETE semaphores_0")
