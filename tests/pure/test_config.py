"""The configuration file: what loads, and what it then says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from semaphores.config.read import parse_config, read_config
from semaphores.config.settings import LimitSpec
from tests.pure.configurations import capacities, refusal

ROOT = Path(__file__).parents[2]
EXAMPLES = (
    ROOT / "tests" / "examples"
)  # the complete examples of the published guide to the format, as they stand there


# The published examples load as they are


def test_the_published_production_file_loads_as_it_is() -> None:
    config = read_config(EXAMPLES / "dagster.yaml", {})
    assert capacities(config) == {
        "runs": 10,
        "tag:dagster/backfill": 5,
        "tag:database=postgres": 3,
        "tag:environment=production": 8,
        "tag:priority=high": 2,
        "tag:dagster/sensor_name=data_freshness_sensor": 1,
        "tag:resource_intensive": 2,
        "tag:external_api=third_party_service": 1,
        "pool:*": 5,
    }
    assert config.granularity == "op"
    assert config.run_monitoring.enabled
    assert config.run_monitoring.start_timeout_seconds == 180
    assert config.ignored == ("storage", "run_launcher"), (
        "foreign sections are listed, and their variables not asked for"
    )


def test_the_published_helm_values_are_found_under_dagster_instance_config() -> None:
    config = read_config(EXAMPLES / "values.yaml", {})
    assert capacities(config) == {
        "runs": 15,
        "tag:kubernetes/namespace=data-pipelines": 10,
        "tag:resource_class=memory_intensive": 3,
        "tag:dagster/backfill": 5,
        "tag:compute_type=gpu": 2,
        "pool:*": 8,
    }
    assert config.ignored == ("dagsterUserDeployments",)


def test_the_published_docker_files_load_as_they_are() -> None:
    config = read_config(EXAMPLES / "docker.dagster.yaml", {})
    assert capacities(config) == {
        "runs": 5,
        "tag:docker/network=dagster_network": 3,
        "tag:memory_usage=high": 2,
        "pool:*": 3,
    }
    compose = read_config(EXAMPLES / "docker-compose.yaml", {})
    assert (compose.limits, compose.ignored) == ({}, ("version", "services"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concurrency:\n  runs:\n    max_concurrent_runs: 15\n", {"runs": 15}),
        ("concurrency:\n  pools:\n    granularity: 'run'\n", {}),
        ("concurrency:\n  pools:\n    default_limit: 1\n", {"pool:*": 1}),
        (
            (
                "concurrency:\n  runs:\n    tag_concurrency_limits:\n"
                "      - key: 'dagster/sensor_name'\n        value: 'my_cool_sensor'\n        limit: 5\n"
                "      - key: 'dagster/backfill'\n        limit: 10\n"
            ),
            {"tag:dagster/sensor_name=my_cool_sensor": 5, "tag:dagster/backfill": 10},
        ),
        (
            (
                "concurrency:\n  runs:\n    tag_concurrency_limits:\n      - key: 'dagster/backfill'\n"
                "        value:\n          applyLimitPerUniqueValue: true\n        limit: 10\n"
            ),
            {"tag:dagster/backfill=*": 10},
        ),
        ("dagster:\n  instance:\n    config:\n      concurrency: {runs: {max_concurrent_runs: 10}}\n", {"runs": 10}),
        ("storage:\n  postgres:\n    postgres_db: {password: '${UNSET}'}\n", {}),
        ("run_launcher:\n  module: dagster_docker\n", {}),
    ],
)
def test_every_snippet_of_the_published_guide_loads(text: str, expected: dict[str, int]) -> None:
    assert capacities(parse_config(text, environment={})) == expected


# What the file says


def test_pools_carry_limits_with_and_without_a_description() -> None:
    config = parse_config(
        'concurrency:\n  pools:\n    limits:\n      database: 5\n      api: {limit: 2, description: "their quota"}\n'
    )
    assert config.limits == {"pool:database": LimitSpec(5, "", 4), "pool:api": LimitSpec(2, "their quota", 5)}


def test_a_tag_limit_carries_a_description() -> None:
    text = "run_queue: {tag_concurrency_limits: [{key: team, value: growth, limit: 1, description: 'two desks'}]}"
    assert parse_config(text).limits["tag:team=growth"].description == "two desks"


def test_a_limit_per_unique_value_that_is_switched_off_holds_for_all_values_together() -> None:
    text = "run_queue: {tag_concurrency_limits: [{key: k, value: {applyLimitPerUniqueValue: false}, limit: 1}]}"
    assert capacities(parse_config(text)) == {"tag:k": 1}


def test_the_value_of_a_tag_may_be_empty() -> None:
    text = "run_queue: {tag_concurrency_limits: [{key: k, value: '', limit: 1}]}"
    assert capacities(parse_config(text)) == {"tag:k=": 1}


def test_a_value_that_looks_like_a_date_is_the_text_it_is_written_as() -> None:
    text = "run_queue: {tag_concurrency_limits: [{key: day, value: 2024-01-15, limit: 1}]}"
    assert capacities(parse_config(text)) == {"tag:day=2024-01-15": 1}


@pytest.mark.parametrize("number", [-1, 0, 1, 1_000_000])
def test_a_limit_is_unlimited_paused_or_a_number_of_slots(number: int) -> None:
    assert capacities(parse_config(f"concurrency: {{runs: {{max_concurrent_runs: {number}}}}}")) == {"runs": number}


def test_what_the_file_leaves_out_is_unlimited() -> None:
    assert parse_config("concurrency: {runs: {}, pools: {granularity: run}}").limits == {}


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "~", "concurrency:\n", "concurrency:\n  runs:\n  pools:\n", "{}"]
)
def test_an_empty_file_or_section_sets_no_limits(text: str) -> None:
    assert parse_config(text).limits == {}


def test_run_monitoring_and_redis_are_read() -> None:
    config = parse_config(
        "run_monitoring: {enabled: true, start_timeout_seconds: 60, max_runtime_seconds: 0}\n"
        "redis: {url: 'redis://:s3cret@db/0', namespace: prod, ttl: 2.5}\n"
    )
    assert config.run_monitoring.start_timeout_seconds == 60
    assert config.run_monitoring.cancel_timeout_seconds == 180
    assert config.run_monitoring.max_runtime_seconds is None, "0 is no limit"
    assert (config.redis.url, config.redis.namespace, config.redis.ttl) == ("redis://:s3cret@db/0", "prod", 2.5)
    assert "s3cret" not in repr(config)


def test_a_key_without_effect_here_is_listed_with_the_reason() -> None:
    config = parse_config(
        "concurrency: {pools: {op_granularity_run_buffer: 1}}\nrun_queue: {dequeue_interval_seconds: 5}\nx-mine: 1\n"
    )
    assert [line.partition(":")[0] for line in config.ignored] == [
        "x-mine",
        "concurrency.pools.op_granularity_run_buffer",
        "run_queue.dequeue_interval_seconds",
    ]


def test_sections_of_other_programs_are_not_taken_for_misspelt_ones_of_ours() -> None:
    foreign = (
        *("storage", "run_storage", "event_log_storage", "schedule_storage", "run_launcher", "run_coordinator"),
        *("run_retries", "schedules", "sensors", "backfills", "retention", "telemetry", "python_logs", "code_servers"),
        *("auto_materialize", "freshness", "compute_logs", "local_artifact_storage", "secrets", "nux", "ui", "global"),
        *("services", "volumes", "networks", "postgresql", "rabbitmq", "ingress", "serviceAccount", "runLauncher"),
    )
    assert parse_config("".join(f"{name}: {{limit: -7}}\n" for name in foreign)).ignored == foreign


def test_a_chart_keeps_a_redis_of_its_own_beside_the_configuration() -> None:
    config = parse_config("dagster: {instance: {config: {redis: {namespace: n}}}}\nredis: {enabled: false}\n")
    assert (config.redis.namespace, config.ignored) == ("n", ("redis",))


def test_aliases_and_merged_mappings_are_followed() -> None:
    config = parse_config(
        "x-small: &small {limit: 1, description: shared}\n"
        "concurrency:\n  pools:\n    limits:\n      a: *small\n      b: {<<: *small, limit: 2}\n"
    )
    assert capacities(config) == {"pool:a": 1, "pool:b": 2}
    assert config.limits["pool:b"].description == "shared"


# Two places for one limit


def test_tag_limits_of_both_places_add_up_and_the_same_number_twice_is_fine() -> None:
    config = parse_config(
        "concurrency: {runs: {max_concurrent_runs: 3, tag_concurrency_limits: [{key: a, limit: 1}]}}\n"
        "run_queue: {max_concurrent_runs: 3, tag_concurrency_limits: [{key: a, limit: 1}, {key: b, limit: 2}]}\n"
    )
    assert capacities(config) == {"runs": 3, "tag:a": 1, "tag:b": 2}


def test_two_different_numbers_for_all_runs_are_an_error_that_names_both() -> None:
    error = refusal("concurrency: {runs: {max_concurrent_runs: 3}}\nrun_queue:\n  max_concurrent_runs: 4\n")
    assert str(error) == (
        "semaphores.yaml:3: runs is limited to 4 here and to 3 on line 1 (concurrency.runs.max_concurrent_runs)"
        " at run_queue.max_concurrent_runs; keep one of them"
    )


def test_the_same_tag_twice_with_different_limits_is_an_error_that_names_both_lines() -> None:
    error = refusal(
        "concurrency:\n  runs:\n    tag_concurrency_limits:\n"
        "      - {key: db, value: pg, limit: 1}\n      - {key: db, value: pg, limit: 2}\n"
    )
    assert error.line == 5
    assert "limited to 2 here and to 1 on line 4 (concurrency.runs.tag_concurrency_limits[0])" in str(error)


def test_two_spellings_of_one_name_are_one_limit() -> None:
    assert "limited to 2 here and to 1" in str(
        refusal("concurrency: {pools: {limits: {'caf\u00e9': 1, 'cafe\u0301': 2}}}")
    )


def test_a_key_given_twice_is_an_error_that_names_both_lines() -> None:
    error = refusal("concurrency:\n  runs:\n    max_concurrent_runs: 1\n    max_concurrent_runs: 1\n")
    assert (error.line, error.problem) == (4, "key given twice, first on line 3")
    assert refusal("storage: {}\nstorage: {}\n").line == 2


# The documentation

BLOCK = re.compile(r"```yaml( refused)?\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", [text for refused, text, _ in BLOCKS if not refused])
def test_every_block_of_the_documentation_loads(text: str) -> None:
    config = parse_config(text, environment={"VALKEY_PASSWORD": "p", "REPORT_RUNS": "2"})
    assert config.limits or config.redis.namespace or config.run_monitoring.enabled, "a block shows something"


@pytest.mark.parametrize(("text", "said"), [(text, said) for refused, text, said in BLOCKS if refused])
def test_every_mistake_of_the_documentation_is_told_as_it_says(text: str, said: str) -> None:
    assert f"{refusal(text)}\n" == said
