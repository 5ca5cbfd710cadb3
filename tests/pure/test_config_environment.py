"""The configuration file and the environment: what is replaced, and what errors never show."""

from __future__ import annotations

import pytest

from semaphores.config.read import parse_config
from semaphores.config.settings import LimitSpec
from tests.pure.configurations import capacities, refusal


@pytest.mark.parametrize("reference", ["${N}", "'${N}'", "{env: N}", "${UNSET:-7}", "${EMPTY:-7}"])
def test_a_number_or_a_text_may_come_from_the_environment(reference: str) -> None:
    text = (
        "concurrency:\n  pools:\n    limits:\n      db:\n"
        f"        limit: {reference}\n        description: {reference}\n"
    )
    assert parse_config(text, environment={"N": "7", "EMPTY": ""}).limits == {"pool:db": LimitSpec(7, "7", 4)}


def test_a_doubled_dollar_keeps_the_characters() -> None:
    assert parse_config("redis: {url: 'redis://:$${A}$B@db'}", environment={}).redis.url == "redis://:${A}$B@db"


def test_a_reference_without_quotes_inside_braces_is_told_what_to_do() -> None:
    assert "put ${VAR} in quotes" in str(refusal("run_queue: {max_concurrent_runs: ${N}}", N="1"))


def test_every_kind_of_value_may_come_from_the_environment() -> None:
    text = (
        "concurrency: {pools: {granularity: '${G}'}}\n"
        "run_monitoring: {enabled: '${ON}', start_timeout_seconds: '${S}'}\n"
        "redis: {url: 'redis://:${PASSWORD}@db', ttl: {env: S}}\n"
    )
    config = parse_config(text, environment={"G": "run", "ON": "True", "S": "1.5", "PASSWORD": "p"})
    assert (config.granularity, config.run_monitoring.enabled) == ("run", True)
    assert (config.run_monitoring.start_timeout_seconds, config.redis.ttl) == (1.5, 1.5)
    assert config.redis.url == "redis://:p@db"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMAPHORES_TEST_LIMIT", "4")
    assert capacities(parse_config("run_queue: {max_concurrent_runs: '${SEMAPHORES_TEST_LIMIT}'}")) == {"runs": 4}


@pytest.mark.parametrize("reference", ["${N}", "{env: N}"])
def test_an_unset_variable_without_default_is_one_error_that_names_it(reference: str) -> None:
    error = refusal(f"concurrency:\n  runs:\n    max_concurrent_runs: {reference}\n")
    assert str(error) == (
        "semaphores.yaml:3: the environment variable N is not set at concurrency.runs.max_concurrent_runs;"
        " set it, or give a default: ${N:-...}"
    )


@pytest.mark.parametrize("reference", ["${", "${}", "${1}", "${A-b}", "${A:-${B}}", "${A"])
def test_what_looks_like_a_reference_and_is_none_is_refused(reference: str) -> None:
    assert "is not a reference" in str(refusal(f"redis:\n  namespace: '{reference}'\n", A="x"))


def test_an_error_never_shows_what_came_from_the_environment_or_an_address() -> None:
    for text in (
        "redis: {ttl: '${SECRET}', namespace: '${SECRET}', url: '${SECRET}'}",
        "redis: {url: {env: SECRET}}",
        "redis: redis://:hunter2@db",
        "redis: {namespace: 'redis://:hunter2@db', ttl: 'redis://:hunter2@db'}",
        "redis: {'redis://:hunter2@db'}",
        "redis://:hunter2@db",
        "concurrency: {pools: {granularity: '${SECRET}', limits: {a: '${SECRET}'}}}",
    ):
        assert "hunter2" not in str(refusal(text, SECRET="hunter2 "))
