"""A scrape: what it shows is what the catalog and the page say, and it is true."""

from __future__ import annotations

import re
from pathlib import Path

from semaphores.metrics.catalog import CATALOG, NAMESPACE
from tests.metrics.scene import Family

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(semaphores_\w+)` \| (gauge|counter|histogram) \| (.*?) \| (.*) \|$", re.MULTILINE)


def test_a_scrape_shows_each_metric_of_the_catalog_and_no_other(families: dict[str, Family]) -> None:
    found = {name: family.kind for name, family in families.items() if name.startswith("semaphores_")}
    assert found == {name: metric.kind for name, metric in CATALOG.items()}


def test_every_series_has_the_labels_that_the_catalog_says(families: dict[str, Family]) -> None:
    for name, metric in CATALOG.items():
        assert families[name].labels() - {"le"} == {NAMESPACE, *metric.labels}, name


def test_the_page_has_the_catalog(families: dict[str, Family]) -> None:
    rows = {name: (kind, labels) for name, kind, labels, _ in ROW.findall(PAGE.read_text("utf-8"))}
    told = {
        name + ("_total" if metric.kind == "counter" else ""): (
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels) or "-",
        )
        for name, metric in CATALOG.items()
    }
    assert rows == told


def test_what_it_shows_is_so(families: dict[str, Family]) -> None:
    def value(name: str, **labels: str) -> float:
        return families[f"semaphores_{name}"].value(**labels)

    db = {"limit": "pool:db"}
    assert (value("limit_capacity_slots", **db), value("limit_used_slots", **db), value("limit_waiting", **db)) == (
        1, 1, 1,
    )  # fmt: skip
    assert value("limit_oldest_wait_seconds", **db) > 0
    assert value("runs", status="SUCCESS") == 1
    assert value("runs", status="QUEUED") == 1
    assert value("queue_unserved_runs", queue="gpu") == 1
    assert value("queue_unserved_runs", queue="default") == 0
    assert (value("queue_workers", queue="default"), value("queue_seats", queue="default")) == (1, 4)
    assert (value("workers"), value("worker_seats"), value("worker_seats_busy")) == (1, 4, 0)
    assert (value("sessions_alive"), value("sessions_dead"), value("leases")) == (2, 0, 2)
    assert value("up") == 1
    assert 0 <= value("heartbeat_oldest_age_seconds") < 10
    assert value("config_version") == 2
    assert value("grants", of="run") == 1
    assert value("runs_finished", job="etl", status="SUCCESS") == 1
    assert value("broken_entries") == value("grace_seconds") == value("leases_lost") == 0


def test_values_of_tags_that_nothing_limits_are_left_out_and_counted(families: dict[str, Family]) -> None:
    shown = {labels for _, labels in families["semaphores_limit_used_slots"].samples}
    assert {dict(labels)["limit"] for labels in shown} == {"pool:db"}
    assert families["semaphores_limits_left_out"].value() >= 3, "pool:*, tag:team, tag:team=growth"
