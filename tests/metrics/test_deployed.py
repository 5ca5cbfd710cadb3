"""Alerts and dashboard: each expression is one, and names what a real scrape has and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.metrics.scene import parsed, sample_names

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = DEPLOY.parent / "docs" / "metrics.md"
PARTS = ("expr", "lhs", "rhs", "param", "vector_selector", "vs")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    return loaded


def asked() -> Iterator[str]:
    """Every expression of the dashboard, as Grafana would send it."""
    shown = dashboard()
    found = [target["expr"] for panel in shown["panels"] for target in panel["targets"]]
    found += [note["expr"] for note in shown["annotations"]["list"]]
    for expression in found:
        yield expression.replace("$__rate_interval", "5m").replace("$ns", ".*").replace("$limit", ".*")


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """What an expression selects."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in PARTS:
        inner = getattr(node, part, None)
        if inner is not None:
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


def labels_in(expression: str) -> set[str]:
    """Labels that an expression matches or groups by."""
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    grouped = [
        label.strip() for group in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression) for label in group.split(",")
    ]
    return {*matched, *grouped} - {""}


def unknown(expression: str, scrape: str) -> set[str]:
    """Return the metrics and labels of an expression that the scrape has not."""
    found = list(selectors(promql_parser.parse(expression)))
    assert found, f"nothing is selected by {expression}"
    names = {selector.name for selector in found}
    labels = {label for family in parsed(scrape).values() for label in family.labels()}
    return (names - sample_names(scrape)) | (labels_in(expression) - labels)


def test_alerts_use_only_what_there_is(scrape: str) -> None:
    wrong = {rule["alert"]: unknown(rule["expr"], scrape) for rule in rules()}
    assert not {name: found for name, found in wrong.items() if found}


def test_the_dashboard_uses_only_what_there_is(scrape: str) -> None:
    wrong = {expression: unknown(expression, scrape) for expression in asked()}
    assert not {name: found for name, found in wrong.items() if found}


def test_every_metric_is_on_the_dashboard(scrape: str) -> None:
    shown = {selector.name for expression in asked() for selector in selectors(promql_parser.parse(expression))}
    ours = {name for name in sample_names(scrape) if name.startswith("semaphores_") and not name.endswith("_created")}
    assert {name for name in ours if not name.endswith(("_sum", "_count"))} - shown == set()


@pytest.mark.parametrize("wrong", ["semaphores_limit_usd_slots > 1", "max by (limt) (semaphores_limit_used_slots)"])
def test_a_mistyped_name_would_be_noticed(wrong: str, scrape: str) -> None:
    assert unknown(wrong, scrape)


def test_every_alert_says_what_and_where_to_look_and_stands_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "look"}, rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert f"| `{rule['alert']}` |" in page, f"docs/metrics.md lacks {rule['alert']}"


def test_panels_have_their_own_places_and_ids() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
