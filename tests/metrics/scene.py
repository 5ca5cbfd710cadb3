"""Scene: a namespace in which everything happens that has a metric, and a real worker that is scraped."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from semaphores import Client, connect
from tests.servers import Server

JOBS = """
from workers import job, op

@op
def load(): ...

@job(ops=[load], tags={"team": "growth"})
def etl(): ...
"""


@dataclass(frozen=True)
class Family:
    """A family of a scrape: its samples by labels, those of this suffix apart."""

    kind: str
    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def labels(self) -> set[str]:
        return {label for _, labels in self.samples for label, _ in labels}

    def value(self, **labels: str) -> float:
        """The one value of a series with these labels, beside those that every one has."""
        wanted = set(labels.items())
        (found,) = [value for (_, has), value in self.samples.items() if wanted <= has]
        return found


def parsed(text: str) -> dict[str, Family]:
    """Return the families of a scrape by name, a counter's without `_total`."""
    return {
        family.name: Family(
            family.type, {(one.name, frozenset(one.labels.items())): one.value for one in family.samples}
        )
        for family in text_string_to_metric_families(text)
    }


def sample_names(text: str) -> set[str]:
    """Return what an expression may name: the names of samples, as `_bucket` and `_total`."""
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


@contextmanager
def worker(server: Server, namespace: str, folder: Path, *words: str) -> Iterator[str]:
    """Run a real `semaphores worker` with metrics; gives where they are served."""
    module = folder / "shop.py"
    module.write_text(JOBS)
    command = [sys.executable, "-m", "semaphores", "worker", str(module), "--metrics-port", "0", *words]
    where = ["--url", server.url, "--namespace", namespace]
    log = folder / "worker.log"
    with log.open("w") as written:
        process = subprocess.Popen([*command, *where], stdout=subprocess.PIPE, stderr=written, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready"), log.read_text()
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", log.read_text())
        assert found, log.read_text()
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def scraped(url: str) -> str:
    with urlopen(url, timeout=10) as answer:  # noqa: S310 (ours, on loopback)
        text: str = answer.read().decode()
        return text


@contextmanager
def busy(server: Server, namespace: str) -> Iterator[Client]:
    """A full pool with a waiter, a rule, an unlimited tag, a run that went through, and one that nobody can take."""
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.set("pool:db", 1)
        client.limits.set("pool:*", 5)
        with client.pool("db"), client.acquire(tags={"team": "growth"}):
            waiter = threading.Thread(target=_waits, args=(client,))
            waiter.start()
            until(lambda: bool(client.requests("pool:db")))
            yield client
        waiter.join()


def _waits(client: Client) -> None:
    with client.pool("db", timeout=60):
        pass


def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.02)  # the server tells nobody
