"""Workers whose server is killed, loses what it had, or loses a reply: runs go on, end once, and nobody has to act."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from semaphores import Client
from semaphores.runs import RunSpec
from tests.faults.proxy import Proxy
from tests.faults.traffic import client_of
from tests.promises.hands import call, ended, status, submit, until, working
from tests.promises.test_workers import Works
from tests.servers import Server, start_server
from workers import worker as worker_module

T = 1.0


@contextmanager
def site(**more: object) -> Iterator[tuple[Server, Client]]:
    with start_server(**more) as server, client_of(server.url, "n", T, db=1) as client:  # type: ignore[arg-type]
        client.limits.set("runs", 2)
        yield server, client


def crash(server: Server) -> None:
    server.kill()
    server.start()


def wipe(server: Server) -> None:
    with server.client() as raw:
        raw.flushall()


def in_grace(client: Client) -> bool:
    return client.connections.session.grace_until is not None


def test_a_killed_server_with_its_file_loses_no_run_and_those_in_progress_go_on() -> None:
    """Append-only file, fsync always: what was acknowledged is there."""
    with site(appendonly=True, extra=("--appendfsync", "always")) as (server, client):

        async def main() -> None:
            works = Works()
            async with working(client, works.job, concurrency=2):
                for number in range(6):
                    await submit(client, works.job, f"r{number}")
                await until("two work", lambda: works.running == 2)
                await call(crash, server)
                await asyncio.sleep(0.3)
                counts = await call(client.runs.counts)
                assert (counts["STARTED"], counts["QUEUED"]) == (2, 4), counts
                works.go.set()
                await until("all are over", lambda: client.runs.counts()["SUCCESS"] == 6, 4 * T + 4)
            assert sorted(works.runs) == [f"r{number}" for number in range(6)], "each was started once"
            assert works.most == 2

        asyncio.run(main())


def test_a_server_that_lost_everything_gets_its_workers_back_and_the_runs_that_they_have() -> None:
    with site() as (server, client):

        async def main() -> None:
            works = Works()
            async with working(client, works.job, concurrency=2):
                await submit(client, works.job, "r", tags={"team": "growth"}, priority=3)
                await until("it works", lambda: works.running == 1)
                before = (await call(client.runs.get, "r")).run
                await asyncio.sleep(T / 2)
                await call(wipe, server)
                await until("it is brought back", lambda: _is_there(client, "r"), 3 * T)
                again = (await call(client.runs.get, "r")).run
                assert (again.tags, again.priority, again.token) == (before.tags, before.priority, before.token)
                assert (again.status, again.attempt) == ("STARTED", 1), "the attempt that it is at"
                works.go.set()
                assert (await ended(client, "r")).status == "SUCCESS"
                await submit(client, works.job, "next")
                assert (await ended(client, "next")).status == "SUCCESS"
            assert works.runs == ["r", "next"]

        asyncio.run(main())


def _is_there(client: Client, run: str) -> bool:
    return any(one.id == run for one in client.runs.list())


def test_a_run_that_ends_before_its_worker_could_bring_it_back_is_brought_back_and_ends() -> None:
    """Its finish comes to a server that does not know it, and must not be taken for one that came too late."""
    with site() as (server, client), Proxy(server.port) as proxy:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, url=proxy.url):
                await submit(client, works.job, "r")
                await until("it works", lambda: works.running == 1)
                await asyncio.sleep(0.4)
                proxy.hold_requests = True
                await call(wipe, server)
                works.go.set()
                await until("it ended", lambda: works.running == 0)
                proxy.hold_requests = False
                await until("it is known again", lambda: _is_there(client, "r"), 3 * T)
                run = await ended(client, "r")
                assert (run.status, run.attempt) == ("SUCCESS", 1)
            assert works.runs == ["r"]

        asyncio.run(main())


def test_a_run_whose_start_meets_a_server_that_lost_it_goes_on() -> None:
    with site() as (server, client), Proxy(server.port) as proxy:

        async def main() -> None:
            works = Works()
            works.go.set()
            async with working(client, works.job, url=proxy.url):
                await submit(client, works.job, "first")
                await ended(client, "first")
                works.go.clear()
                await asyncio.sleep(0.4)
                proxy.hold_requests = True  # its grant is pushed, its start waits on the way
                await submit(client, works.job, "r")
                await until("it works", lambda: works.running == 1)
                await call(wipe, server)
                proxy.hold_requests = False
                await asyncio.sleep(1.5 * T)
                assert works.running == 1, "no answer of a server that lost its data ends it"
                works.go.set()
                run = await ended(client, "r")
                assert (run.status, run.attempt) == ("SUCCESS", 1)

        asyncio.run(main())


def test_a_worker_that_was_busy_through_a_loss_gets_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it tells of itself now and then must not make the server believe that it knows the worker's jobs."""
    monkeypatch.setattr(worker_module, "TELL_EVERY", 0.3)
    with site() as (server, client):

        async def main() -> None:
            works = Works()
            async with working(client, works.job):
                await submit(client, works.job, "long")
                await until("it works", lambda: works.running == 1)
                await asyncio.sleep(T / 2)
                await call(wipe, server)
                await asyncio.sleep(2 * T + 1)
                works.go.set()
                await ended(client, "long")
                await submit(client, works.job, "next")
                assert (await ended(client, "next", 3)).status == "SUCCESS"

        asyncio.run(main())


def test_a_lost_reply_of_a_finish_ends_the_run_once() -> None:
    with site() as (server, client), Proxy(server.port) as proxy:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, url=proxy.url) as worker:
                for number in range(8):
                    await submit(client, works.job, f"r{number}")
                    await until("it works", lambda run=f"r{number}": status(client, run) == "STARTED")
                    await asyncio.sleep(0.05)  # its start is answered
                    proxy.drop_replies = True
                    works.go.set()
                    await until("the server ended it", lambda run=f"r{number}": status(client, run) == "SUCCESS", T / 2)
                    proxy.drop_replies = False
                    proxy.cut()
                    works.go.clear()
                await worker.until_finished(8)
                counts = await call(client.runs.counts)
                assert counts["SUCCESS"] == 8, counts
                assert not client.leases()
            assert works.runs == [f"r{number}" for number in range(8)], "each was started once"

        asyncio.run(main())


def test_a_drained_worker_stays_until_the_server_knows_how_its_last_run_ended() -> None:
    with site() as (server, client), Proxy(server.port) as proxy:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, url=proxy.url) as worker:
                await submit(client, works.job, "r")
                await until("it works", lambda: status(client, "r") == "STARTED")
                worker.drain()
                proxy.hold_requests = True
                works.go.set()
                await until("it ended", lambda: works.running == 0)
                await asyncio.sleep(0.2)
                proxy.hold_requests = False
                assert (await ended(client, "r")).attempt == 1

        asyncio.run(main())


@pytest.mark.parametrize("kind", ["out of memory", "a replica"])
def test_a_server_that_refuses_for_a_while_ends_no_worker(kind: str) -> None:
    with site() as (server, client), server.client() as raw:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, concurrency=2):
                await submit(client, works.job, "r")
                await until("it works", lambda: works.running == 1)
                await submit(client, works.job, "queued")
                _refuse(raw, kind, True)
                await asyncio.sleep(0.6 * T)
                works.go.set()
                await until("it ended", lambda: works.running == 0)
                _refuse(raw, kind, False)
                assert (await ended(client, "r")).status == "SUCCESS"
                await submit(client, works.job, "next")
                assert (await ended(client, "next")).status == "SUCCESS"

        asyncio.run(main())


def _refuse(raw: redis.Redis, kind: str, on: bool) -> None:
    if kind == "out of memory":
        raw.config_set("maxmemory", "1" if on else "0")
    else:
        raw.execute_command("REPLICAOF", *(("127.0.0.1", "1") if on else ("NO", "ONE")))


def test_a_run_that_cannot_be_read_fails_and_ends_nothing_else(server: Server, namespace: str) -> None:
    """Whatever was submitted, and by whom: the worker and its other runs go on."""
    with client_of(server.url, namespace, T, db=1) as client, server.client() as raw:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, concurrency=2):
                await submit(client, works.job, "good")
                await until("it works", lambda: works.running == 1)
                client.limits.set("runs", 0)
                client.runs.submit(RunSpec("etl", args={"x": 1}), run="odd")
                client.runs.submit(RunSpec("etl", config={"execution": {"x": 1}}), run="odd-config")
                client.runs.submit(RunSpec("etl"), run="broken")
                raw.hset(client.connections.prefix + "run:broken", mapping={"tags": "{nonsense", "args": "\x93"})
                client.limits.set("runs", 9)
                for run in ("odd", "odd-config", "broken"):
                    assert (await ended(client, run)).status == "FAILURE", run
                works.go.set()
                assert (await ended(client, "good")).status == "SUCCESS"

        asyncio.run(main())
