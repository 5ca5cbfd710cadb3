"""Rules of the design that came from histories which broke an earlier one, and that no other test names."""

from __future__ import annotations

import os
import threading
import time

import msgpack
import pytest
import redis

from semaphores import AcquireTimeout, Client
from semaphores.lease import _books
from semaphores.names import wake_channel
from semaphores.scripts.commands import End
from semaphores.session.ledger import MOST_WINDOWS, WINDOW, Awaiting, Ledger
from tests.faults.traffic import another, client_of, wait_until
from tests.lua.harness import Calls
from tests.servers import Server, free_port, start_server

T = 1.0


def test_a_push_that_another_server_counts_is_dropped(server: Server, namespace: str) -> None:
    """A replica delivers what its primary counted as 0 receivers: the primary granted nothing."""
    with client_of(server.url, namespace, 10.0, db=1) as client, another(client) as other, server.client() as raw:
        with other.pool("db"):
            ended: list[BaseException | None] = []
            waiting = threading.Thread(target=lambda: ended.append(_wait(client, 0.7)))
            waiting.start()
            session = client.connections.session
            channel = wake_channel(client.connections.prefix, session.id)
            wait_until("it listens", lambda: raw.pubsub_shardnumsub(channel)[0][1], 3)
            (n,) = session.ledger.awaited
            told = msgpack.packb({"n": n, "token": "99", "epoch": str(session.epoch), "server": "f" * 40})
            assert raw.execute_command("SPUBLISH", channel, told) == 1
            waiting.join(5)
        assert isinstance(ended[0], AcquireTimeout), "it took a grant that the primary never made"


def _wait(client: Client, timeout: float) -> BaseException | None:
    try:
        with client.pool("db", timeout=timeout):
            return None
    except AcquireTimeout as error:
        return error


def test_windows_with_something_awaited_go_with_each_beat() -> None:
    ledger = Ledger("s")
    many = (MOST_WINDOWS + 6) * WINDOW
    for n in range(many):
        ledger.enter_request(Awaiting("pool:db=1", "h", 0, lambda: None), lambda request, n, answer: None)
        if n != many // 2:
            ledger.granted(n + 1, "1", 0.0)
    seen = set()
    for _ in range(8):
        _, beats = ledger.beats(0, everything=False, host=None, gone={})
        assert len(beats) <= MOST_WINDOWS
        assert any(beat.awaited for beat in beats), "a lost grant would be found late"
        seen |= {beat.low for beat in beats}
    assert len(seen) == MOST_WINDOWS + 6, "every window has its turn"


def test_while_a_cluster_moves_the_slot_a_call_is_refused_before_it_starts(namespace: str) -> None:
    cluster = ("--cluster-enabled", "yes", "--cluster-port")
    buses = free_port(), free_port()
    with (
        start_server(extra=(*cluster, str(buses[0]))) as one,
        start_server(extra=(*cluster, str(buses[1]))) as two,
        one.client() as raw,
    ):
        raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        raw.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port, buses[1])
        wait_until("it is a cluster", lambda: raw.cluster("INFO")["cluster_state"] == "ok", 10)
        wait_until("they know each other", lambda: len(_nodes(raw)) == 2, 10)
        calls = Calls(one, namespace)
        session = calls.session("alice")
        calls.limit(session, db=1)
        slot = raw.execute_command("CLUSTER", "KEYSLOT", calls.key("meta"))
        with two.client() as there:
            there.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", raw.execute_command("CLUSTER", "MYID"))
            raw.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", there.execute_command("CLUSTER", "MYID"))
        before = raw.hgetall(calls.key("meta"))
        with pytest.raises(redis.RedisError, match="TRYAGAIN|Multiple keys|ASK"):
            session.send(End())
        assert raw.hgetall(calls.key("meta")) == before
        calls.close()


def _nodes(raw: redis.Redis) -> list[str]:
    return [node for node, told in dict(raw.cluster("NODES")).items() if told["connected"]]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_a_thread_lends_can_borrow_itself(server: Server, namespace: str) -> None:
    with client_of(server.url, namespace, T, db=1) as client, _books:
        pid = os.fork()
        if pid == 0:
            with client.pool("api"), client.pool("api"):
                os._exit(7)
        started, status = time.monotonic(), (0, 0)
        while status[0] == 0 and time.monotonic() - started < 8:
            status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)
        if status[0] == 0:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status[1]) == 7, "it waited for a lock that nobody holds there"
