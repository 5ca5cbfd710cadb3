"""A fleet: three workers, one report at a time for each customer, two at the warehouse over all of them.

This file is both: the jobs, which the workers load, and a program that starts workers, submits runs and watches. In
earnest the workers are services on many hosts: `semaphores worker fleet.py`.
"""

import asyncio
import subprocess
import sys
import time
from itertools import pairwise

from semaphores import connect
from workers import context, job, op, submit

CUSTOMERS = ("ada", "bob", "cyd", "dee")


@op(pool="fleet-warehouse", retries=2, retry_delay=0.1)
async def extract(customer: str) -> int:
    """Stand in for a query that fails now and then."""
    await asyncio.sleep(0.02)
    if customer == "cyd" and context().attempt == 1:
        raise ConnectionError("the warehouse hung up")
    return len(customer)


@op
def write(extract: int, customer: str) -> str:
    """Write a report; it comes after `extract`, whose result it takes."""
    context().log(f"{customer}: {extract} rows")
    return f"{customer}.pdf"


@job(ops=[extract, write], tags={"team": "reports"})
def report() -> None:
    """Writes a report for one customer."""


def start_worker() -> "subprocess.Popen[str]":
    """Start a worker, and wait until it takes runs."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "semaphores", "worker", __file__, "--concurrency", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    print(worker.stdout.readline().strip())
    return worker


if __name__ == "__main__":
    client = connect()
    client.limits.set("pool:fleet-warehouse", 2)
    client.limits.set("tag:customer=*", 1)
    fleet = [start_worker() for _ in range(3)]
    runs = [submit(report, {"customer": name}, tags={"customer": name}).run for _ in range(3) for name in CUSTOMERS]
    while not all(client.runs.get(run).run.finished for run in runs):
        time.sleep(0.05)
    for worker in fleet:
        worker.terminate()  # drains
    for worker in fleet:
        with worker:
            print(f"a worker ended with exit code {worker.wait()}")
    done = [client.runs.get(run).run for run in runs]
    assert {run.status for run in done} == {"SUCCESS"}
    print(f"{len(done)} runs on {len({run.worker.split(':')[1] for run in done if run.worker})} workers")
    for name in CUSTOMERS:
        spans = sorted((run.started, run.ended) for run in done if run.tags["customer"] == name)
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), name
    print("no customer had two reports at a time")
