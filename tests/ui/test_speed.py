"""Speed: a namespace of 5,000 limits and 20,000 runs: the first page of each view, in the server's own time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from semaphores import connect
from semaphores.runs import RunSpec
from semaphores.scripts.commands import LimitChange
from semaphores.session.process import user
from semaphores.ui import PageSettings
from tests.servers import start_server
from tests.ui.scene import TTL, Scene
from tests.ui.visitor import Visitor, events, listening

LIMITS, RUNS = 5_000, 20_000
MOST = 0.2  # seconds of server time for a first page
BATCH = 250


@pytest.fixture(scope="module")
def crowd() -> Iterator[tuple[Scene, Visitor]]:
    """The page of a crowded namespace."""
    with start_server() as own:
        scene = Scene(own, "crowd").play(0.0)
        with connect(own.url, namespace="crowd", ttl=TTL) as client:
            for first in range(0, LIMITS, 1000):
                client.limits.change([LimitChange(f"pool:p{first + n:05}", "set", 5) for n in range(1000)])
            for first in range(0, RUNS, BATCH):
                specs = [RunSpec(f"job-{n % 7}", tags={"team": f"t{n % 20}"}, priority=n % 3) for n in range(BATCH)]
                scene.alice.send(*(spec.command(f"r{first + n}", user()) for n, spec in enumerate(specs)))
            with listening(client, PageSettings(allow_writes=True)) as visitor:
                yield scene, visitor
        scene.close()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?q=p042&sort=waiting",
        "/?page=80",
        "/limit?name=pool:database",
        "/limit?name=runs",
        "/runs",
        "/runs?show=queue&tag=team=t7",
        "/runs?show=queue&after=QUEUED:15000",
        "/run?id=r19999",
        "/workers",
        "/jobs",
        "/config",
    ],
)
def test_a_first_page_takes_less_than_200_ms(crowd: tuple[Scene, Visitor], path: str) -> None:
    _, visitor = crowd
    told = []
    for _ in range(3):  # this machine has others to serve: what is promised is the page's own time
        answer = visitor.get(path)
        told.append(float(answer.headers["server-timing"].partition("dur=")[2]) / 1000)
        if min(told) < MOST:
            break
        time.sleep(0.5)
    print(f"{path}: {min(told) * 1000:.0f} ms")
    assert min(told) < MOST, f"{path}: {[f'{each * 1000:.0f} ms' for each in told]}"


def test_a_change_in_a_crowd_shows_within_a_second(crowd: tuple[Scene, Visitor]) -> None:
    scene, visitor = crowd
    stream = events(visitor, "/live/?q=database")
    next(stream)
    begun = time.monotonic()
    scene.alice.change({"limit": "pool:database", "kind": "set", "capacity": 77})
    while "/77" not in next(stream)[1]:
        pass
    took = time.monotonic() - begun
    stream.close()
    assert took < 1.0, f"{took:.2f} s"
