"""A few turns of every benchmark: each figure that the table promises is taken. How large it is, is not judged here."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.__main__ import GROUPS, PINNED, report
from benchmarks.measure import TINY, Site
from benchmarks.places import places
from benchmarks.server import BenchServer
from tests.servers import Server

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


@pytest.fixture
def site(server: Server) -> Site:
    return Site(BenchServer(server.port, server.pid), TINY)


@pytest.mark.parametrize("name", GROUPS)
def test_every_figure_of_the_table_is_taken(name: str, site: Site) -> None:
    group = GROUPS[name]
    place = places()[-1]
    with place.taken(site.server.pid):
        found = group.run(site)
    assert set(found) == {figure.key for figure in group.FIGURES}, f"{name}: rows and figures differ"
    idle = {"leases", "leases_server", "waiters", "waiters_server"}  # nothing may be sent in so short a window
    wrong = {key: value for key, value in found.items() if not math.isfinite(value) or (value <= 0 and key not in idle)}
    assert not wrong, f"{name} gave no usable figure: {wrong}"


def test_a_run_prints_a_table_with_a_row_for_every_figure() -> None:
    text = report(["importing"], 1, TINY)
    for figure in GROUPS["importing"].FIGURES:
        assert f"| {figure.what} | {figure.unit} |" in text, text


def test_the_committed_page_has_a_row_for_every_figure() -> None:
    page = PAGE.read_text("utf-8")
    missing = [figure.what for group in GROUPS.values() for figure in group.FIGURES if f"| {figure.what} |" not in page]
    assert not missing, f"docs/performance.md is of another version: run make bench ARGS='--page {PAGE.name}'"
    assert all(f"`python -m benchmarks {name}`" in page for name in GROUPS), "each table names the command that made it"


def test_pinning_is_undone_when_a_group_ends(site: Site) -> None:
    before = places()
    for place in before:
        with place.taken(site.server.pid):
            pass
    assert places() == before, f"{', '.join(PINNED)} left the test run on fewer cores"
