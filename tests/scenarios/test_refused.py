"""What cannot be meant is refused, in words that say where and what to write: configurations, run configs, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from semaphores.config.read import parse_config
from semaphores.errors import ConfigError
from tests.lua.harness import Calls
from tests.servers import Server
from workers import job, op, validate_run_config

FOLDER = Path(__file__).parent / "refused"


def cases(name: str) -> list[Any]:
    """Return the cases of a file, each under its name."""
    found = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return [pytest.param(case, id=case["name"]) for case in found]


def told(error: ConfigError) -> str:
    """Return all that an error says, with its line as it is shown to people."""
    return f"{error} (line {error.line})"


@pytest.mark.parametrize("case", cases("configurations"))
def test_a_configuration_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_config(case["file"], file="semaphores.yaml", environment={})
    missing = [words for words in case["says"] if words not in told(refusal.value)]
    assert not missing, told(refusal.value)


@op(tags={"database": "postgres"})
async def extract() -> None: ...


@job(ops=[extract])
def etl() -> None: ...


@pytest.mark.parametrize("case", cases("run_configs"))
def test_a_run_config_is_refused(case: dict[str, Any]) -> None:
    found = validate_run_config(etl, case["file"])
    assert not found.success
    missing = [words for words in case["says"] if words not in told(found.errors[0])]
    assert not missing, told(found.errors[0])


@pytest.mark.parametrize("capacity", [-5, -2, 1_000_001, 1.5])
def test_a_limit_that_python_would_have_refused_is_refused_by_the_server_too(
    server: Server, namespace: str, capacity: float
) -> None:
    """Closes: -5 is accepted and blocks everything."""
    calls = Calls(server, namespace)
    try:
        caller = calls.session("caller")
        answer = caller.raw(
            op="change_limits", changes=[{"limit": "runs", "kind": "set", "capacity": capacity}], origin="hand", by="me"
        )
        assert answer["answer"] == "refused", answer
        assert "limits" not in calls.dump()
    finally:
        calls.close()
