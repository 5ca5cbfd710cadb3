"""A Dramatiq actor of which two may be at work, in all processes and threads of all workers together.

    semaphores pool set mailer 2
    dramatiq dramatiq_actor --processes 4

Dramatiq sends a message again when its actor raises, later each time; AcquireTimeout is a reason like any other.
"""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from semaphores import pool

url = os.environ.get("BROKER_URL", "redis://localhost:6379/0")
broker = RedisBroker(url=url)
broker.add_middleware(Results(backend=RedisBackend(url=url)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True, min_backoff=100, max_backoff=1000)
@pool("mailer", timeout=30)
def send(recipient: str) -> tuple[float, float]:
    """Stand in for a mail server that takes two connections; returns when it began and ended."""
    began = time.monotonic()
    time.sleep(0.2)
    return began, time.monotonic()
