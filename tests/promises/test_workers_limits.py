"""Cancelling, time limits and pools of runs, as a worker carries them out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import semaphores
from semaphores import Client
from tests.faults.crew import Crew, crew_of, noted, spec_of
from tests.faults.traffic import client_of, wait_until
from tests.promises.hands import call, ended, seconds, status, submit, until, working
from tests.promises.test_workers import Works
from tests.servers import Server
from workers import job, op

T = 2.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, T, db=1) as made:
        yield made


def settings(client: Client, **values: str) -> None:
    client.limits.change([], settings=values)


# Cancelling


def test_cancel_reaches_an_async_op_and_a_queued_run_at_once(client: Client) -> None:
    async def main() -> None:
        works = Works()
        async with working(client, works.job):
            await submit(client, works.job, "now")
            await submit(client, works.job, "later")
            await until("it works", lambda: works.running == 1)
            assert await call(client.runs.cancel, "later") == "canceled"
            begun = time.monotonic()
            assert await call(client.runs.cancel, "now") == "canceling"
            run = await ended(client, "now")
            took = time.monotonic() - begun
        assert (run.status, works.running, works.runs) == ("CANCELED", 0, ["now"])
        assert took < 0.5, f"{took:.2f} s"
        assert await call(status, client, "later") == "CANCELED"

    asyncio.run(main())


@pytest.mark.parametrize(("name", "most"), [("heavy", 0.95), ("stubborn", 2.2)])
def test_cancel_ends_an_op_in_a_child_process_by_sigterm_and_then_by_sigkill(
    server: Server, namespace: str, tmp_path: Path, name: str, most: float
) -> None:
    """With a ttl at which the lease outlives the second that an op has: nearer its deadline it has less."""
    ttl = 6.0
    with client_of(server.url, namespace, ttl) as client, crew_of(server.url, namespace, ttl):
        client.runs.submit(spec_of(name, tmp_path, 60), run="r")
        wait_until("it works", lambda: noted(tmp_path, "r"), 20)
        wait_until("the server knows", lambda: status(client, "r") == "STARTED")
        begun = time.monotonic()
        client.runs.cancel("r")
        wait_until("it is over", lambda: status(client, "r") == "CANCELED")
        took = time.monotonic() - begun
        with pytest.raises(ProcessLookupError):
            os.kill(noted(tmp_path, "r")[0].pid, 0)
    assert took < most, f"{took:.2f} s"
    assert took > 1.0 or name == "heavy", "it was given its second"


# Time limits: nobody watches, whoever calls next carries them out


def test_a_run_over_its_max_runtime_is_ended_and_fails(client: Client) -> None:
    async def main() -> None:
        works = Works()
        async with working(client, works.job):
            await submit(client, works.job, "r", max_runtime=1)
            run = await ended(client, "r")
            assert works.running == 0
        assert (run.status, run.reason) == ("FAILURE", "it exceeded its maximum runtime")
        assert 1.0 <= seconds(run.ended, run.started) <= 1.0 + T / 5 + 1.0

    asyncio.run(main())


def _frozen(crew: Crew, client: Client, tmp_path: Path, run: str) -> None:
    client.runs.submit(spec_of("short", tmp_path, 60, max_runtime=1), run=run)
    wait_until("it works", lambda: noted(tmp_path, run), 20)
    wait_until("the server knows", lambda: status(client, run) == "STARTED")
    crew.workers[0].freeze()


def test_max_runtime_and_cancel_timeout_end_a_run_whose_worker_hangs(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    """Long before its ttl: the run is over; its slots are free when the worker is dead, by that ttl."""
    with client_of(server.url, namespace, 6.0, db=1) as client, crew_of(server.url, namespace, 6.0) as crew:
        settings(client, cancel_timeout="1")
        _frozen(crew, client, tmp_path, "r")
        with semaphores.connect(server.url, namespace=namespace, ttl=6.0) as other, other.pool("elsewhere"):
            wait_until("it is over", lambda: status(client, "r") == "FAILURE", 6)
            run = client.runs.get("r").run
            assert 2.0 <= seconds(run.ended, run.started) <= 4.5
            assert run.reason == "it exceeded its maximum runtime (its worker did not end it in time)"
            assert len(client.leases("runs")) == 1, "who hangs may still believe"
            wait_until("its slots are free", lambda: not client.leases("runs"), 8)
            crew.workers[0].thaw()
            time.sleep(0.5)
            assert status(client, "r") == "FAILURE"


def test_a_canceled_run_whose_worker_is_gone_is_over_with_it(
    server: Server, namespace: str, client: Client, tmp_path: Path
) -> None:
    with crew_of(server.url, namespace, T) as crew:
        client.runs.submit(spec_of("short", tmp_path, 60), run="r")
        wait_until("it works", lambda: noted(tmp_path, "r"), 20)
        crew.workers[0].freeze()
        assert client.runs.cancel("r") == "canceling"
        crew.workers[0].kill()
        with client.pool("elsewhere"):  # somebody calls
            wait_until("it is over", lambda: status(client, "r") == "CANCELED", T + 1)


def test_a_run_that_a_hanging_worker_was_given_fails_after_its_start_timeout(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    with client_of(server.url, namespace, 6.0, db=1) as client, crew_of(server.url, namespace, 6.0) as crew:
        wait_until("it is there", client.runs.workers, 20)
        time.sleep(0.5)  # its seat waits
        settings(client, start_timeout="1")
        crew.workers[0].freeze()
        client.runs.submit(spec_of("short", tmp_path, 60), run="r")
        with client.pool("elsewhere"):
            wait_until("it is over", lambda: status(client, "r") == "FAILURE", 5)
        assert (client.runs.get("r").run.reason or "").startswith("it did not start within 1 s")
        crew.workers[0].thaw()
        client.runs.submit(spec_of("short", tmp_path, 0), run="next")
        wait_until("it works on", lambda: status(client, "next") == "SUCCESS")
        assert [one.what for one in noted(tmp_path, "r")] in ([], ["begin"]), "it began too late, if at all"


# Pools


def test_an_op_that_waits_for_a_pool_says_so_and_for_which(client: Client) -> None:
    async def main() -> None:
        @op(pool="db")
        async def query() -> None: ...

        works = job(ops=[query], name="etl")(query.function)
        async with client.pool("db") as lease:
            async with working(client, works):
                await submit(client, works, "r")

                def waits() -> bool:
                    ops = client.runs.get("r").ops
                    return bool(ops) and (ops[0].status, ops[0].limit) == ("WAITING", "pool:db")

                await until("it says that it waits", waits, 2)
                assert await call(status, client, "r") == "STARTED"
                await lease.release()
                assert (await ended(client, "r")).status == "SUCCESS"

    asyncio.run(main())


def test_the_slots_of_an_op_are_free_between_its_retries(client: Client) -> None:
    async def main() -> None:
        tries: list[float] = []

        @op(pool="db", retries=1, retry_delay=0.8)
        async def query() -> None:
            tries.append(time.monotonic())
            if len(tries) == 1:
                raise OSError("come back later")

        works = job(ops=[query], name="etl")(query.function)
        async with working(client, works):
            await submit(client, works, "r")
            await until("it failed once", lambda: len(tries) == 1 and not client.leases("pool:db"), 1)
            async with client.pool("db", timeout=0.3):
                pass
            assert (await ended(client, "r")).status == "SUCCESS"
        assert len(tries) == 2
        assert tries[1] - tries[0] >= 0.8

    asyncio.run(main())


@pytest.mark.parametrize("granularity", ["op", "run"])
@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_what_an_op_has_of_a_pool_its_own_code_may_use_again(
    server: Server, namespace: str, client: Client, tmp_path: Path, granularity: str, executor: str
) -> None:
    """By the run (granularity `run`) or by the op: nested use is lent, and never waits for itself."""
    settings(client, granularity=granularity)
    client.limits.set("pool:database", 1)
    name = "nested" if executor == "in_process" else "nested_in_child"
    with crew_of(server.url, namespace, T, seats=3):
        for number in range(3):
            client.runs.submit(spec_of(name, tmp_path, 0.1), run=f"r{number}")
        wait_until("all are over", lambda: client.runs.counts()["SUCCESS"] == 3, 20)
        if granularity == "run":
            begun = [one.what for one in noted(tmp_path)]
            assert begun == ["begin", "end"] * 3, "one at a time"


def test_an_executor_in_this_process_keeps_a_blocking_op_from_the_beats(client: Client) -> None:
    """A sync op blocks a thread, not the worker: other runs go on beside it."""

    async def main() -> None:
        @op
        def block() -> None:
            time.sleep(0.6)

        slow, works = job(ops=[block], name="slow")(block.function), Works()
        works.go.set()
        async with working(client, slow, works.job, concurrency=2):
            await submit(client, slow, "slow")
            await submit(client, works.job, "quick")
            await ended(client, "quick", 0.5)
            assert (await ended(client, "slow")).status == "SUCCESS"

    asyncio.run(main())


def test_an_op_of_several_pools_shows_the_one_that_it_waits_for_now(client: Client) -> None:
    """Its request moves from one to the other without a word to its worker."""

    @op(pools={"a": 1, "b": 1})
    async def both() -> None: ...

    @job(ops=[both])
    def etl() -> None: ...

    def waits_for(limit: str) -> bool:
        ops = client.runs.get("one").ops
        return bool(ops) and (ops[0].status, ops[0].limit) == ("WAITING", limit)

    async def main() -> None:
        client.limits.set("pool:a", 1)
        client.limits.set("pool:b", 1)
        async with working(client, etl):
            async with client.pool("b"):
                async with client.pool("a"):
                    await submit(client, etl, "one")
                    await until("it waits for a", lambda: waits_for("pool:a"))
                await until("it waits for b", lambda: waits_for("pool:b"))
            assert (await ended(client, "one")).status == "SUCCESS"

    asyncio.run(main())
