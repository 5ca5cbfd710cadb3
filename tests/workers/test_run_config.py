"""Run config: limits for one run, from values or YAML; a mistake is reported with its line and the right place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workers import in_process, job, multiprocess, op, validate_run_config
from workers.limits import TagLimit
from workers.run_config import apply_run_config

PG = {"key": "database", "value": "postgres", "limit": 1}
BY_KEY = {"key": "database", "limit": 2}


@op(tags={"database": "postgres"})
def extract() -> None: ...


@job(ops=[extract], executor=multiprocess(max_concurrent=3, tag_concurrency_limits=[PG]))
def etl() -> None: ...


@pytest.mark.parametrize(
    "config",
    [
        {"multiprocess": {"max_concurrent": 2, "tag_concurrency_limits": [BY_KEY]}},
        {"max_concurrent": 2, "tag_concurrency_limits": [BY_KEY]},
    ],
)
def test_both_places_of_the_guide_are_read(config: dict[str, Any]) -> None:
    executor = etl.executor_for({"execution": {"config": config}})
    assert (executor.kind, executor.most()) == ("multiprocess", 2)
    assert executor.tag_limits == (TagLimit("database", None, False, 2),)


def test_what_run_config_does_not_say_stays_as_it_is() -> None:
    executor = etl.executor_for({"execution": {"config": {"max_concurrent": 9}}})
    assert (executor.most(), executor.tag_limits) == (9, etl.settings.tag_limits)
    for nothing in ({}, {"execution": None}, {"execution": {"config": {"multiprocess": None}}}, ""):
        assert etl.executor_for(nothing) == etl.settings


def test_naming_an_executor_chooses_it_and_keeps_the_limits_by_tag() -> None:
    executor = etl.executor_for({"execution": {"config": {"in_process": {}}}})
    assert (executor.kind, executor.most(), executor.tag_limits) == ("in_process", 1, etl.settings.tag_limits)


def test_0_in_run_config_is_the_default_of_the_executor() -> None:
    executor, errors = apply_run_config(in_process(max_concurrent=7), {"execution": {"config": {"max_concurrent": 0}}})
    assert (executor.most(), errors) == (1, [])


def test_each_unique_value_of_a_tag_may_be_limited() -> None:
    entry = {"key": "database", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    executor = etl.executor_for({"execution": {"config": {"tag_concurrency_limits": [entry]}}})
    assert executor.tag_limits == (TagLimit("database", None, True, 1),)


MISTAKES = [
    ("tag_concurrency_limits:\n- {key: a, limit: 1}\n", "tag_concurrency_limits", 1,
     "it belongs to execution.config.multiprocess.tag_concurrency_limits"),
    ("execution:\n  max_concurrent: 2\n", "execution.max_concurrent", 2,
     "it belongs to execution.config.multiprocess.max_concurrent"),
    ("execution:\n  config:\n    multiprocess:\n      max_concurent: 2\n",
     "execution.config.multiprocess.max_concurent", 4, "did you mean 'max_concurrent'?"),
    ("execution:\n  config:\n    max_concurrent: -1\n", "execution.config.max_concurrent", 3, "for the default"),
    ("execution:\n  config:\n    max_concurrent: many\n", "execution.config.max_concurrent", 3, "for the default"),
    ("execution:\n  config:\n    max_concurrent_runs: 3\n", "execution.config.max_concurrent_runs", 3, "max_conc"),
    ("concurrency:\n  runs: {}\n", "concurrency", 1, "it belongs to the configuration file of the deployment"),
    ("multiprocess:\n  max_concurrent: 1\n", "multiprocess", 1, "it belongs to execution.config.multiprocess"),
    ("execution:\n  config:\n    in_process: {}\n    max_concurrent: 2\n", "execution.config.max_concurrent", 4,
     "it belongs to execution.config.in_process.max_concurrent"),
    ("execution:\n  config:\n    multiprocess: {}\n    in_process: {}\n", "execution.config.in_process", 4, "keep one"),
    ("execution:\n  config:\n    tag_concurrency_limits:\n    - key: a\n      limit: 1\n    - key: a\n      limit: 2\n",
     "execution.config.tag_concurrency_limits[1]", 6, "keep one of them"),
    ("execution:\n- config\n", "execution", 1, ""),
    ("execution: {config: [\n", "", 2, ""),
    ("ops:\n  extract: {}\n", "ops", 1, "the arguments of the run"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "line", "hint"), MISTAKES)
def test_a_mistake_is_reported_with_path_line_and_what_to_do(text: str, path: str, line: int, hint: str) -> None:
    found = validate_run_config(etl, text)
    assert not found.success
    error = found.errors[0]
    assert (error.path, error.line) == (path, line)
    assert hint in error.hint
    assert "\n" not in str(error)


def test_config_that_was_no_text_has_no_lines() -> None:
    (error,) = validate_run_config(etl, {"max_concurrent": 1}).errors
    assert (error.line, error.path) == (None, "max_concurrent")


def test_every_mistake_is_reported_at_once() -> None:
    config = {"execution": {"config": {"max_concurrent": -5, "tag_concurrency_limits": [{"limit": "x"}]}}, "more": 1}
    assert len(validate_run_config(etl, config).errors) == 4


@pytest.mark.parametrize("config", [5, ["execution"], {1: 2}, {"execution": {"config": {"multiprocess": object()}}}])
def test_nothing_in_a_config_makes_validating_raise(config: Any) -> None:
    assert not validate_run_config(etl, config).success


def test_a_file_is_read_and_named_in_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("execution:\n  config:\n    multiprocess:\n      max_concurrent: 2\n")
    assert validate_run_config(etl, file).success
    file.write_text("max_concurrent: 2\n")
    (error,) = validate_run_config(etl, file).errors
    assert str(error).startswith(f"{file}:1: ")
    assert not validate_run_config(etl, tmp_path / "none.yaml").success


def test_a_limit_under_which_an_op_can_never_start_is_a_mistake() -> None:
    config = {"execution": {"config": {"tag_concurrency_limits": [{"key": "database", "limit": 0}]}}}
    (error,) = validate_run_config(etl, config).errors
    assert "op 'extract' can never start: op tag 'database': limit 0" in str(error)
