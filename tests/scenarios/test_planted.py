"""The scenarios notice bugs: each is planted in our Lua, and the scenario that is about it must fail."""

from __future__ import annotations

import pytest

from tests.scenarios import fleet, runner
from tests.scenarios.planted import BUGS, Bug
from tests.scenarios.runner import ScenarioFailed, play
from tests.scenarios.scenario import themes
from tests.servers import Server

SCENARIOS = {scenario.name: scenario for theme in themes() for scenario in theme.scenarios}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_noticed(bug: Bug, server: Server, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PATIENCE", 2.0)  # what a bug keeps from ever happening
    monkeypatch.setattr(runner, "UNTIL", 2.5)
    with bug.planted(), pytest.raises(ScenarioFailed):
        play(SCENARIOS[bug.noticed_by], server, namespace)
