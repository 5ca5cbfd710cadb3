"""Events and the log: what happens to leases is told to observers, and a long wait says what it is for."""

from __future__ import annotations

import logging
import threading

import pytest
import redis

from semaphores import Client, blocked, connect
from semaphores.session.events import Began, Event, Granted, Lost
from semaphores.session.ledger import Ledger
from semaphores.session.session import Session, Settings
from tests.servers import Server


def test_observers_hear_of_grants_with_their_wait_and_of_lost_leases(server: Server, namespace: str) -> None:
    heard: list[Event] = []
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.set("pool:db", 1)
        client.connections.session.observers.append(heard.append)
        with client.pool("db") as lease:
            waiter = threading.Thread(target=lambda: client.pool("db", timeout=5).__enter__())
            waiter.start()
            while not client.requests("pool:db"):
                pass  # the server tells nobody that somebody waits
            lease.release()
            waiter.join()
        client.release(client.leases("pool:db")[0].id)
        lost = threading.Event()
        client.connections.session.observers.append(lambda event: lost.set() if isinstance(event, Lost) else None)
        assert lost.wait(5) or any(isinstance(event, Lost) for event in heard)
    assert isinstance(heard[0], Began)
    first, second = (event for event in heard if isinstance(event, Granted))
    assert (first.needs, first.in_line) == ("pool:db=1", False)
    assert second.in_line
    assert second.waited > 0
    assert [event.needs for event in heard if isinstance(event, Lost)] == ["pool:db=1"]


@pytest.mark.parametrize("finishing", [False, True])
def test_a_lease_whose_end_is_on_its_way_is_not_lost_when_a_beat_comes_between(
    server: Server, namespace: str, raw: redis.Redis, finishing: bool
) -> None:
    """The server has carried out the end, and its answer is still under way: no alarm for that."""
    heard: list[Event] = []
    with connect(server.url, namespace=namespace, init=True) as client:
        session = client.connections.session
        session.observers.append(heard.append)
        client.limits.set("pool:db", 1)
        lease = client.pool("db").__enter__()
        holding = next(session.ledger.holdings())
        holding.finishing = finishing
        raw.hdel(f"sem:{{{namespace}}}:session:{session.id}:leases", str(holding.n))
        raw.zrem(f"sem:{{{namespace}}}:slots:pool:db", lease.id)
        session.on_trouble()  # a beat at once
        while list(session.ledger.holdings()):
            pass  # until its answer is there
    assert any(isinstance(event, Lost) for event in heard) is not finishing


def test_a_long_wait_says_once_what_it_waits_for_and_who_holds_that(
    server: Server, namespace: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(blocked, "FIRST", 0.2)
    caplog.set_level(logging.WARNING, "semaphores")
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.set("pool:db", 1)
        with client.pool("db"), connect(server.url, namespace=namespace) as other:
            _times_out(other, 3.0)
    told = [record.getMessage() for record in caplog.records if "has waited" in record.getMessage()]
    assert len(told) == 1, "once, not with each beat"
    assert "for pool 'db': 1 of 1 slots held by" in told[0]


def test_all_that_waits_is_looked_at_once_a_second_however_many_grants_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was with each pushed grant: with 10,000 waiters a hand-off took five times as long."""
    looks: list[Ledger] = []
    monkeypatch.setattr(Ledger, "waiting", lambda self: looks.append(self) or [])
    log = blocked.BlockedLog(Session(Settings("sem:{n}:", 10.0)), lambda question: {})
    for _ in range(100):
        log.look()
    assert len(looks) == 1


def _times_out(client: Client, seconds: float) -> None:
    with pytest.raises(TimeoutError), client.pool("db", timeout=seconds):
        pass
