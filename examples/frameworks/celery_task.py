"""A Celery task that a partner lets us run twice at a time, however many workers there are.

    semaphores pool set partner 2
    celery -A celery_task worker --concurrency 8

A task that finds the pool full goes back to the broker, so that no worker process sits and waits; it keeps no place in
line that way. Where order matters, wait: `@pool("partner")` above the function is all that takes.
"""

import os
import time

from celery import Celery, Task

from semaphores import AcquireTimeout, pool

broker = os.environ.get("BROKER_URL", "redis://localhost:6379/0")
app = Celery("shop", broker=broker, backend=broker)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)


@app.task(bind=True, max_retries=None)
def order(self: Task, number: int) -> tuple[float, float]:
    """Stand in for a call of the partner's API; returns when it began and ended."""
    try:
        with pool("partner", timeout=0.5) as lease:
            began = time.monotonic()
            time.sleep(0.2)
            lease.guard()  # before what must not be done twice
            return began, time.monotonic()
    except AcquireTimeout as full:
        raise self.retry(exc=full, countdown=0.1) from full
