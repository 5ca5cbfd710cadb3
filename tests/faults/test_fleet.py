"""The three complete examples of the guide, each applied to a real server, drive three worker processes with 200 runs.

The observer sees the records of the runs only; pools, which ops take one by one, are judged by what the ops noted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from semaphores.apply import apply_config
from semaphores.config.read import read_config
from tests.faults.belief import over_admitted
from tests.faults.crew import crew_of, ready, spec_of
from tests.faults.history import read_beliefs
from tests.faults.observer import Rule, Span, exceeded, idle, spans_of
from tests.faults.traffic import client_of, wait_until
from tests.servers import start_server

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNS, WORKERS = 200, 3
IDLE = 250  # ms for which nothing admissible may wait beside a free seat
T = 4.0


@dataclass(frozen=True)
class Example:
    """A file of the guide: its limits as its text says, the pools' default limit, and the tags its runs may carry."""

    file: str
    rules: tuple[Rule, ...]
    pool: int
    seats: int  # of each worker: together more than may run at once
    tags: Mapping[str, tuple[str, ...]]


PRODUCTION = Example(
    "dagster.yaml",
    (
        Rule(10),
        Rule(5, "dagster/backfill"),
        Rule(3, "database", "postgres"),
        Rule(8, "environment", "production"),
        Rule(2, "priority", "high"),
        Rule(1, "dagster/sensor_name", "data_freshness_sensor"),
        Rule(2, "resource_intensive"),
        Rule(1, "external_api", "third_party_service"),
    ),
    5,
    5,
    {
        "dagster/backfill": ("b1", "b2"),
        "database": ("postgres", "mysql"),
        "environment": ("production", "staging"),
        "priority": ("high", "low"),
        "dagster/sensor_name": ("data_freshness_sensor", "other"),
        "resource_intensive": ("yes",),
        "external_api": ("third_party_service", "ours"),
    },
)
KUBERNETES = Example(
    "values.yaml",
    (
        Rule(15),
        Rule(10, "kubernetes/namespace", "data-pipelines"),
        Rule(3, "resource_class", "memory_intensive"),
        Rule(5, "dagster/backfill"),
        Rule(2, "compute_type", "gpu"),
    ),
    8,
    6,
    {
        "kubernetes/namespace": ("data-pipelines", "other"),
        "resource_class": ("memory_intensive", "small"),
        "dagster/backfill": ("b1", "b2", "b3"),
        "compute_type": ("gpu", "cpu"),
    },
)
DOCKER = Example(
    "docker.dagster.yaml",
    (Rule(5), Rule(3, "docker/network", "dagster_network"), Rule(2, "memory_usage", "high")),
    3,
    3,
    {"docker/network": ("dagster_network", "host"), "memory_usage": ("high", "low")},
)


def drive(example: Example, folder: Path, bug: str | None = None, runs: int = RUNS) -> list[Span]:
    """Apply, submit, work, and read the records."""
    chosen = random.Random(7)  # the same mix each time
    with start_server() as server, client_of(server.url, "n", T, db=1) as client:
        apply_config(client, read_config(EXAMPLES / example.file))
        with crew_of(server.url, "n", T, WORKERS, example.seats, bug=bug):
            wait_until("all are there", lambda: ready(client, WORKERS), 30)
            for number in range(runs):
                tags = {key: chosen.choice(values) for key, values in example.tags.items() if chosen.random() < 0.5}
                job, hold = chosen.choice(("short", "database")), chosen.uniform(0.02, 0.06)
                if number < (example.rules[0].limit or 0):  # these fill it, however slow the machine is just now
                    job, hold, tags = "short", 0.6, {}
                client.runs.submit(spec_of(job, folder, hold, tags=tags), run=f"r{number}")
            wait_until("all are over", lambda: client.runs.counts()["SUCCESS"] == runs, 60)
            records = client.runs.list("SUCCESS", most=runs)
            sick = [one for one in client.examine() if one.what not in ("server", "library")]
            assert not sick, f"doctor: {sick[:3]}"
        assert {record.attempt for record in records} == {1}, "each was started once"
        return spans_of(records)


@pytest.mark.parametrize("example", [PRODUCTION, KUBERNETES, DOCKER], ids=lambda example: example.file)
def test_a_complete_example_drives_a_fleet_within_its_limits_and_without_idling(
    example: Example, tmp_path: Path
) -> None:
    begun = time.monotonic()
    spans = drive(example, tmp_path)
    assert len(spans) == RUNS
    over = exceeded(spans, example.rules)
    assert not over, f"{len(over)} times over a limit: {over[:3]}"
    waited = idle(spans, example.rules, WORKERS * example.seats)
    assert not waited or waited[0][0] <= IDLE, f"admissible beside a free seat: {waited[:3]}"
    most = max(sum(one.granted <= span.granted < one.ended for one in spans) for span in spans)
    assert most == example.rules[0].limit, f"{most} at once: the mix does not fill the limit"
    pools = [one for one in read_beliefs(tmp_path) if one.limit == "pool:database"]
    assert pools, "ops used the pool"
    assert not over_admitted(pools, {"pool:database": example.pool})
    assert time.monotonic() - begun < 60


# The observer itself


def span(run: str, submitted: int, granted: int, ended: int, **tags: str) -> Span:
    return Span(run, tags, submitted, granted, ended)


def test_the_observer_sees_what_is_over_a_limit_and_takes_a_hand_over_for_what_it_is() -> None:
    rules = [Rule(1, "db", "x")]
    assert not exceeded([span("a", 0, 0, 10, db="x"), span("b", 0, 10, 20, db="x"), span("c", 0, 5, 9, db="y")], rules)
    assert exceeded([span("a", 0, 0, 10, db="x"), span("b", 0, 9, 20, db="x")], rules)


def test_the_observer_sees_who_waits_beside_a_free_seat_and_not_who_is_kept() -> None:
    rules = [Rule(2), Rule(1, "db", "x")]
    kept = [span("a", 0, 0, 100, db="x"), span("b", 0, 100, 150, db="x")]
    assert not [one for one in idle(kept, rules, 2) if one[0] > 0]
    late = [span("a", 0, 0, 100, db="x"), span("b", 0, 130, 150, db="x")]
    assert idle(late, rules, 2)[0] == (30, 100, "b")
    beside = [span("a", 0, 0, 100, db="x"), span("b", 0, 80, 150, db="y")]
    assert idle(beside, rules, 2)[0] == (80, 0, "b")
    assert not [one for one in idle(beside, rules, 1) if one[1] < 80 and one[0] > 0]


def test_the_observer_notices_a_server_that_lets_one_more_in(tmp_path: Path) -> None:
    spans = drive(DOCKER, tmp_path, "one more", runs=60)
    assert exceeded(spans, DOCKER.rules)
