"""The checkers, and that they catch bugs: first in histories written by hand, then in planted ones on a real server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.belief import Belief, over_admitted, tokens_that_fell
from tests.faults.history import outcomes_in, read_beliefs
from tests.faults.nemesis import grants_after, verdict
from tests.faults.planted import PLANTS
from tests.faults.proxy import Proxy
from tests.faults.traffic import Traffic, client_of, python, wait_until, working
from tests.servers import Server, start_server

T = 1.0


def belief(token: int, start: float, end: float, slots: int = 1, limit: str = "pool:db") -> Belief:
    return Belief(limit, slots, token, f"h{token}", start, end)


def test_the_checker_sees_two_believers_of_one_slot() -> None:
    found = over_admitted([belief(1, 0, 10), belief(2, 9.9, 20)], {"pool:db": 1})
    assert len(found) == 1
    assert "2 of 1 at 9.900 for 100.0 ms" in found[0]


def test_the_checker_takes_a_hand_over_for_what_it_is() -> None:
    assert (
        over_admitted(
            [belief(1, 0, 10), belief(2, 10, 20), belief(3, 5, 6, limit="pool:x")], {"pool:db": 1, "pool:x": 1}
        )
        == []
    )


def test_the_checker_counts_slots_not_holders() -> None:
    assert over_admitted([belief(1, 0, 10, slots=2), belief(2, 5, 20, slots=2)], {"pool:db": 3})


def test_the_checker_sees_a_token_that_fell() -> None:
    assert tokens_that_fell([belief(7, 0, 1), belief(6, 2, 3)])
    assert not tokens_that_fell([belief(7, 0, 3), belief(6, 2, 4), belief(8, 3.5, 5)]), (
        "they overlapped: any order is right"
    )


def test_every_planted_bug_has_a_test_that_catches_it() -> None:
    caught = {"deadline from receipt", "renewed past its deadline", "no grace", "ids that are not idempotent"}
    caught |= {"one more"}  # test_fleet.py
    assert set(PLANTS) == caught


def _cut_off(tmp_path: Path, bug: str | None) -> list[str]:
    """A holder is frozen with a reply on its way, goes on, and is cut off; another process waits for its slot."""
    with start_server() as server, Proxy(server.port) as proxy, client_of(server.url, "n", T, db=1) as client:
        holder = Traffic(proxy.url, "n", str(tmp_path), T, holders=1, hold=(60, 60))
        waiter = Traffic(server.url, "n", str(tmp_path), T, holders=1, hold=(0.5, 0.5), timeout=30)
        with working(holder, bug=bug) as (frozen,):
            wait_until("the holder holds", lambda: read_beliefs(tmp_path))
            with working(waiter):
                wait_until("somebody waits", client.requests)
                proxy.delay_replies = 0.12
                time.sleep(0.5)
                frozen.freeze()
                time.sleep(0.5 * T)
                proxy.hole()
                frozen.thaw()
                moment = time.monotonic()
                wait_until("the slot goes over", lambda: grants_after(tmp_path, moment))
                time.sleep(0.7 * T)
                frozen.kill()  # it would try to say goodbye
        return over_admitted(read_beliefs(tmp_path), {"pool:db": 1})


def test_a_holder_that_was_cut_off_stops_before_its_slot_is_given_away(tmp_path: Path) -> None:
    assert _cut_off(tmp_path, None) == []


@pytest.mark.parametrize("bug", ["deadline from receipt", "renewed past its deadline"])
def test_a_planted_deadline_bug_is_caught(tmp_path: Path, bug: str) -> None:
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        if _cut_off(folder, bug):
            return
    pytest.fail(f"{bug!r} was planted and not noticed in 6 runs")


def _wiped(tmp_path: Path, server: Server, namespace: str, bug: str | None) -> list[str]:
    with client_of(server.url, namespace, T, db=1):
        holder = Traffic(server.url, namespace, str(tmp_path), T, holders=1, hold=(2.5 * T, 2.5 * T))
        others = Traffic(server.url, namespace, str(tmp_path), T, holders=2, hold=(0.2, 0.3), timeout=0.5)
        with working(holder, bug=bug):
            wait_until("the holder holds", lambda: read_beliefs(tmp_path))
            time.sleep(0.4)
            with server.client() as raw:
                raw.flushall()
            with working(others, bug=bug):
                time.sleep(2 * T)
    return over_admitted(read_beliefs(tmp_path), {"pool:db": 1})


@pytest.mark.parametrize("bug", [None, "no grace"])
def test_a_wipe_gives_no_slot_away_twice_and_a_missing_grace_is_caught(tmp_path: Path, bug: str | None) -> None:
    with start_server() as server:
        over = _wiped(tmp_path, server, "n", bug)
    assert bool(over) == (bug is not None), (over, outcomes_in(tmp_path), read_beliefs(tmp_path))


TWICE = """
import sys, threading
from tests.faults.planted import plant
plant()
import semaphores
from semaphores.scripts.call import read_reply
from semaphores.session.ledger import Awaiting
from semaphores.session.threads import ask_function
from semaphores.transport.wire import Wire
with semaphores.connect(sys.argv[1], namespace="n", ttl=2, init=True) as client:
    session, endpoint = client.connections.session, client.connections.endpoint
    pending = session.ask_for(Awaiting("pool:db=1", "me", 0, lambda: None))
    together, tokens = threading.Barrier(2), []
    def send():
        wire = Wire(endpoint, "x", 5.0)
        data = session.call([pending], wire.server).data
        together.wait()
        tokens.append(read_reply(ask_function(wire, data)).answers[1]["token"])
        wire.close()
    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(len(set(tokens)), len(client.leases()))
"""


@pytest.mark.parametrize("bug", [None, "ids that are not idempotent"])
def test_an_id_sent_twice_from_two_connections_is_one_grant_with_one_token(
    monkeypatch: pytest.MonkeyPatch, bug: str | None
) -> None:
    if bug:
        monkeypatch.setenv("TEST_PLANTED_BUG", bug)
    with start_server() as server, python(TWICE, server.url) as process:
        assert process.stdout is not None
        tokens, leases = map(int, process.stdout.readline().split())
    assert leases == 1
    assert tokens == (2 if bug else 1), "one id, one token; the planted bug gives two"


def test_threads_and_tasks_of_several_processes_never_hold_more_than_the_limit(
    tmp_path: Path, server: Server, namespace: str
) -> None:
    with client_of(server.url, namespace, 2.0, db=2, api=3):
        made = [
            Traffic(server.url, namespace, str(tmp_path), 2.0, ("db", "api"), how=how, holders=6)
            for how in ("threads", "asyncio", "trio")
        ]
        with working(*made):
            time.sleep(3)
    _, outcomes = verdict(tmp_path, {"pool:db": 2, "pool:api": 3}, least=100)
    assert set(outcomes) == {"done"}, outcomes
