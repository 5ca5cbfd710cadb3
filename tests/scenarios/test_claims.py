"""Many workers at once: no limit is exceeded at any moment, and the place is never idle while something could go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from semaphores import connect
from tests.scenarios.agreement import disagreements
from tests.servers import Server
from workers import in_process, job, op
from workers.definitions import Location
from workers.job import Job
from workers.submit import submit
from workers.worker import Worker, WorkerSettings

WORKERS, SEATS, RUNS = 4, 5, 300


@dataclass
class Watch:
    """How many are at work, now and at most, by what is limited."""

    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def be(self, *kinds: str) -> None:
        """Be at work for some turns of the loop."""
        self.now.update(kinds)
        for kind in kinds:
            self.most[kind] = max(self.most[kind], self.now[kind])
        await asyncio.sleep(0.001)
        self.now.subtract(kinds)

    def count(self) -> None:
        """Note the end of a run."""
        self.ended += 1
        if self.ended == RUNS:
            self.over.set()

    def job(self) -> Job:
        """Return a job of two ops, one of which has a pool."""

        async def first() -> None:
            await self.be("run", "pool")

        async def second() -> None:
            await self.be("run")
            self.count()

        ops = [op(name="first", pool="db")(first), op(name="second", after="first")(second)]
        return job(ops=ops, name="etl", executor=in_process(max_concurrent=2))(lambda: None)


def test_four_workers_claim_at_once_and_exceed_nothing(server: Server, namespace: str) -> None:
    """Closes: claims that look before others have written let 3 into 2."""
    asyncio.run(_claim(server, namespace))
    with server.client() as raw:
        assert disagreements(raw, namespace) == []


async def _claim(server: Server, namespace: str) -> None:
    watch = Watch()
    made = watch.job()
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.set("runs", 3)
        client.limits.set("pool:db", 2)
        clients = [connect(server.url, namespace=namespace) for _ in range(WORKERS)]
        settings = WorkerSettings(concurrency=SEATS)
        workers = [Worker(Location("here", {"etl": made}), each.connections, settings) for each in clients]
        tasks = [asyncio.create_task(worker.work()) for worker in workers]
        for n in range(RUNS):
            submit(made, client=client, run=f"r{n}")
            if n % 20 == 0:
                await asyncio.sleep(0)
        await asyncio.wait_for(watch.over.wait(), 60)
        for worker in workers:
            worker.drain()
        await asyncio.gather(*tasks)
        for each in clients:
            each.close()
        assert client.runs.counts()["SUCCESS"] == RUNS
        assert watch.most == {"run": 3, "pool": 2}, "never more than the limits, and all that they allow"
        assert [limit.used for limit in client.limits.list() if limit.limit in ("runs", "pool:db")] == [0, 0]
