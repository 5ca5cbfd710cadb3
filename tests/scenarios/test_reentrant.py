"""An op that asks for a pool which it, or its run, holds already is lent it: no run waits for itself."""

from __future__ import annotations

import asyncio

import pytest

from semaphores import Client, connect
from tests.servers import Server
from workers import in_process, job, op
from workers.definitions import Location
from workers.submit import submit
from workers.worker import Worker, WorkerSettings


@pytest.mark.parametrize("granularity", ["op", "run"])
def test_an_op_is_lent_what_it_holds(server: Server, namespace: str, granularity: str) -> None:
    """Closes: a step that is blocked by its own run's slot (31243)."""
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.change([], settings={"granularity": granularity})
        client.limits.set("pool:db", 1)
        assert asyncio.run(_nested(client)) == "SUCCESS"
        assert client.limits.get("pool:db").used == 0


async def _nested(client: Client) -> str:
    @op(pool="db")
    async def work() -> None:
        async with client.pool("db", timeout=5):
            pass

    made = job(ops=[work], name="etl", executor=in_process())(lambda: None)
    worker = Worker(Location("here", {"etl": made}), client.connections, WorkerSettings(concurrency=1))
    task = asyncio.create_task(worker.work())
    submit(made, client=client, run="r1")
    async with asyncio.timeout(10):
        while not client.runs.get("r1").run.finished:
            await asyncio.sleep(0.01)
    worker.drain()
    await task
    return client.runs.get("r1").run.status
