"""One real scrape for all tests of what it must have."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from semaphores.runs import RunSpec
from tests.metrics.scene import Family, busy, parsed, scraped, until, worker
from tests.servers import Server


@pytest.fixture(scope="module")
def scrape(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a worker shows in a namespace in which everything happens."""
    namespace = f"metrics-{uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("scene")
    with busy(server, namespace) as client, worker(server, namespace, folder) as address:
        spec = RunSpec("etl", tags={"team": "growth"}, location="shop")
        done = client.runs.submit(spec).run
        client.runs.submit(RunSpec("etl", queue="gpu", location="shop"))
        until(lambda: client.runs.get(done).run.status == "SUCCESS")
        until(lambda: "runs_finished_total{" in scraped(address))
        yield scraped(address)


@pytest.fixture(scope="module")
def families(scrape: str) -> dict[str, Family]:
    return parsed(scrape)
