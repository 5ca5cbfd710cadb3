"""Every scenario of the files in this folder, against a real server."""

from __future__ import annotations

import pytest

from tests.scenarios.page import PAGE, up_to_date
from tests.scenarios.runner import ScenarioFailed, play
from tests.scenarios.scenario import Scenario, themes
from tests.servers import Server

SCENARIOS = [scenario for theme in themes() for scenario in theme.scenarios]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_scenario(scenario: Scenario, server: Server, namespace: str) -> None:
    try:
        play(scenario, server, namespace)
    except ScenarioFailed as error:
        failed = str(error)
    else:
        return
    pytest.fail(failed, pytrace=False)


def test_each_name_is_used_once() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))


def test_the_page_tells_of_every_scenario() -> None:
    page = PAGE.read_text()
    assert page == up_to_date(page), "bring it up to date: python -m tests.scenarios.page"
