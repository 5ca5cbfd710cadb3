"""Cron on several hosts, one run: `run submit --on-conflict skip`. In each host's crontab, with a worker somewhere:

    */5 * * * *  SEMAPHORES_URL=redis://...  semaphores run submit refresh --on-conflict skip --tag schedule=often

While one run is queued or in progress, the others are skipped; asking and submitting are one step in the server.
"""

import asyncio
import subprocess
import sys

from workers import job, op

SEMAPHORES = [sys.executable, "-m", "semaphores"]


@op
async def work(seconds: float = 0.0) -> None:
    """Stand in for what may take longer than five minutes."""
    await asyncio.sleep(seconds)


@job(ops=[work])
def refresh() -> None:
    """Refreshes what is shown."""


def cron(*options: str) -> str:
    """Submit as cron would, and return what it printed."""
    command = [*SEMAPHORES, "run", "submit", "refresh", "--tag", "schedule=often", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    worker = subprocess.Popen(
        [*SEMAPHORES, "worker", __file__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with worker:
        assert worker.stdout is not None
        print(worker.stdout.readline().strip())
        first = cron("--id", "at-ten", "--args", '{"seconds": 600}')
        second = cron("--id", "at-five-past", "--on-conflict", "skip")
        print(f"the second submit found {second}, and queued nothing")
        third = cron("--id", "by-hand", "--on-conflict", "replace", "--wait")
        print(f"{third} replaced it, and is over")
        worker.terminate()
    print(f"the worker drained, exit code {worker.returncode}")
    assert (first, second, third) == ("at-ten", "at-ten", "by-hand")
