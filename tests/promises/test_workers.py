"""Workers: how runs reach them. Each test has workers in this process, on the real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from statistics import median

import pytest

from semaphores import Client
from tests.faults.traffic import client_of
from tests.promises.hands import call, ended, status, submit, until, working
from tests.servers import Server, start_server
from workers import Job, job, op

T = 2.0


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with client_of(server.url, namespace, T, db=1) as made:
        yield made


class Works:
    """A job of one async op that notes what it does, and waits until it may end."""

    def __init__(self, name: str = "etl", **of_job: object) -> None:
        self.started: list[tuple[str, float]] = []
        self.running = 0
        self.most = 0
        self.go = asyncio.Event()

        @op
        async def act() -> None:
            from workers import context

            self.started.append((context().run, time.monotonic()))
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await self.go.wait()
            finally:
                self.running -= 1

        self.job: Job = job(ops=[act], name=name, **of_job)(act.function)  # type: ignore[arg-type]

    @property
    def runs(self) -> list[str]:
        return [run for run, _ in self.started]


def test_a_submitted_run_starts_on_an_idle_worker_within_milliseconds(client: Client) -> None:
    async def main() -> None:
        works = Works()
        works.go.set()
        async with working(client, works.job):
            times = []
            for number in range(20):
                begun = time.monotonic()
                await submit(client, works.job, f"run-{number}")
                await ended(client, f"run-{number}")
                times.append(works.started[number][1] - begun)
                await asyncio.sleep(0.02)
        assert median(times) < 0.02, f"{median(times) * 1000:.1f} ms at the median, {max(times) * 1000:.1f} at most"

    asyncio.run(main())


def test_an_idle_worker_beats_and_does_not_poll() -> None:
    """One beat every T/6 and a word about its load every 5 s: nothing depends on the number of seats or of runs."""
    with start_server() as server, client_of(server.url, "n", 1.0, db=1) as client, server.client() as raw:

        async def main() -> None:
            works = Works()
            async with working(client, works.job, concurrency=20):
                await submit(client, Works("other").job, "nobody-has-its-code")
                await asyncio.sleep(0.5)
                before = _calls(raw)
                await asyncio.sleep(2.0)
                after = await call(_calls, raw)
            assert 8 <= after - before <= 16, f"{after - before} calls in 2 s, with a beat each 1/6 s"

        asyncio.run(main())


def _calls(raw) -> int:  # type: ignore[no-untyped-def]
    stats = raw.info("commandstats")
    return sum(int(told["calls"]) for name, told in stats.items() if name.startswith("cmdstat_fcall"))


def test_a_worker_takes_only_what_it_has_seats_for(client: Client) -> None:
    async def main() -> None:
        works = Works()
        async with working(client, works.job, concurrency=3):
            for number in range(8):
                await submit(client, works.job, f"run-{number}")
            await until("three work", lambda: works.running == 3)
            await asyncio.sleep(0.2)
            counts = await call(client.runs.counts)
            assert (counts["STARTED"], counts["STARTING"], counts["QUEUED"]) == (3, 0, 5), counts
            works.go.set()
            await until("all are over", lambda: client.runs.counts()["SUCCESS"] == 8)
        assert works.most == 3

    asyncio.run(main())


def test_a_run_costs_two_calls_its_start_and_its_finish_with_the_next_take() -> None:
    with start_server() as server, client_of(server.url, "n", 10.0, db=1) as client, server.client() as raw:

        async def main() -> None:
            works, count = Works(), 100
            works.go.set()
            for number in range(count):
                await submit(client, works.job, f"run-{number}")
            before = _calls(raw)
            async with working(client, works.job) as worker:
                await worker.until_finished(count)
                calls = _calls(raw) - before
            assert calls <= 2 * count + 20, f"{calls} calls for {count} runs"

        asyncio.run(main())


def test_queues_are_worked_on_in_the_order_of_the_worker(client: Client) -> None:
    async def main() -> None:
        works = Works()
        for number in range(2):
            await submit(client, works.job, f"slow-{number}", queue="slow", priority=9)
            await submit(client, works.job, f"fast-{number}", queue="fast")
        works.go.set()
        async with working(client, works.job, queues=("fast", "slow")) as worker:
            await worker.until_finished(4)
        assert works.runs == ["fast-0", "fast-1", "slow-0", "slow-1"]

    asyncio.run(main())


def test_two_versions_of_the_code_share_a_queue_and_each_gets_what_it_has(client: Client) -> None:
    async def main() -> None:
        old, new = Works("daily"), Works("daily")
        hourly = Works("hourly")
        for works in (old, new, hourly):
            works.go.set()
        async with working(client, old.job), working(client, new.job, hourly.job):
            for number in range(6):
                await submit(client, hourly.job, f"hourly-{number}")
            await until("all are over", lambda: client.runs.counts()["SUCCESS"] == 6)
            assert len(hourly.runs) == 6
            old.go.clear()
            new.go.clear()
            await submit(client, old.job, "a")
            await submit(client, old.job, "b")
            await until("both have one", lambda: (old.running, new.running) == (1, 1))
            old.go.set()
            new.go.set()
            await ended(client, "a")
            await ended(client, "b")

    asyncio.run(main())


def test_a_run_whose_code_goes_with_its_last_worker_waits_and_starts_with_the_next(client: Client) -> None:
    async def main() -> None:
        works = Works()
        works.go.set()
        async with working(client, works.job):
            await submit(client, works.job, "first")
            await ended(client, "first")
        await submit(client, works.job, "second")
        assert await call(status, client, "second") == "QUEUED"
        async with working(client, works.job):
            assert (await ended(client, "second")).status == "SUCCESS"

    asyncio.run(main())


def test_concurrency_that_is_a_function_follows_while_runs_go_on(client: Client) -> None:
    async def main() -> None:
        works, seats = Works(), 1
        async with working(client, works.job, concurrency=lambda: seats):
            for number in range(6):
                await submit(client, works.job, f"run-{number}")
            await until("one works", lambda: works.running == 1)
            seats = 3
            took = await until("three work", lambda: works.running == 3)
            assert took < 1.5, f"{took:.2f} s"
            seats = 0
            await asyncio.sleep(1.2)
            assert works.running == 3, "who works goes on"
            works.go.set()
            await until("they end", lambda: works.running == 0)
            await asyncio.sleep(0.2)
            assert len(works.runs) == 3, "no seat, no run"
            seats = 2
            await until("the others", lambda: client.runs.counts()["SUCCESS"] == 6)

    asyncio.run(main())


def test_a_concurrency_that_raises_keeps_what_it_was(client: Client) -> None:
    """A worker that ended for that would take its runs along."""

    async def main() -> None:
        works, broken = Works(), False

        def seats() -> int:
            if broken:
                raise OSError("no sensors")
            return 2

        async with working(client, works.job, concurrency=seats):
            await submit(client, works.job, "a")
            await until("it works", lambda: works.running == 1)
            broken = True
            await asyncio.sleep(1.3)
            await submit(client, works.job, "b")
            await until("both work", lambda: works.running == 2)

    asyncio.run(main())
