"""Mistakes in the configuration file, and files that are none: what is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from semaphores.config.read import parse_config, problems, read_config
from semaphores.errors import ConfigError
from tests.pure.configurations import capacities, refusal

MISTAKES = [
    (
        "concurrency:\n  runs:\n    max_runs: 3\n",
        "semaphores.yaml:3: unknown key at concurrency.runs.max_runs; did you mean 'max_concurrent_runs'?",
    ),
    ("concurency: {}\n", "semaphores.yaml:1: unknown section at concurency; did you mean 'concurrency'?"),
    ("runQueue: {}\n", "semaphores.yaml:1: unknown section at runQueue; did you mean 'run_queue'?"),
    (
        "tag_concurrency_limits: []\n",
        (
            "semaphores.yaml:1: tag_concurrency_limits does not stand here at tag_concurrency_limits;"
            " it belongs to concurrency.runs.tag_concurrency_limits"
        ),
    ),
    (
        "concurrency:\n  tag_concurrency_limits: []\n",
        (
            "semaphores.yaml:2: unknown key at concurrency.tag_concurrency_limits;"
            " it belongs to concurrency.runs.tag_concurrency_limits"
        ),
    ),
    (
        "concurrency:\n  pools:\n    database: 3\n",
        (
            "semaphores.yaml:3: unknown key at concurrency.pools.database;"
            " the limit of a pool belongs under limits: did you mean 'concurrency.pools.limits.database'?"
        ),
    ),
    (
        "concurrency: {default_op_concurrency_limit: 3}",
        (
            "semaphores.yaml:1: unknown key at concurrency.default_op_concurrency_limit;"
            " it belongs to concurrency.pools.default_limit"
        ),
    ),
    (
        "run_coordinator:\n  class: QueuedRunCoordinator\n  config:\n    max_concurrent_runs: 3\n",
        (
            "semaphores.yaml:4: max_concurrent_runs does not stand here at run_coordinator.config.max_concurrent_runs;"
            " it belongs to concurrency.runs.max_concurrent_runs"
        ),
    ),
    (
        "execution: {config: {multiprocess: {max_concurrent: 2}}}",
        (
            "semaphores.yaml:1: execution does not stand here at execution;"
            " it belongs to the configuration of a job; the limits of all runs to concurrency.runs"
        ),
    ),
    (
        "run_queue: {tag_concurrency_limits: [{tag: a, limit: 1}]}",
        (
            "semaphores.yaml:1: the key 'key' is missing at run_queue.tag_concurrency_limits[0];"
            " 1 more problem in this file"
        ),
    ),
    (
        "run_queue:\n  tag_concurrency_limits:\n    - key: a\n      value: 5\n      limit: 1\n",
        'semaphores.yaml:4: must be text, not 5 at run_queue.tag_concurrency_limits[0].value; put it in quotes: "5"',
    ),
    (
        "run_queue: {tag_concurrency_limits: [{key: a, value: {}, limit: 1}]}",
        "semaphores.yaml:1: the key 'applyLimitPerUniqueValue' is missing at run_queue.tag_concurrency_limits[0].value",
    ),
    (
        "run_queue: {tag_concurrency_limits: {key: a, limit: 1}}",
        "semaphores.yaml:1: must be a list, not a mapping at run_queue.tag_concurrency_limits",
    ),
    (
        "run_queue: {tag_concurrency_limits: [{key: a, value: '*', limit: 1}]}",
        (
            "semaphores.yaml:1: '*' is no value of a tag at run_queue.tag_concurrency_limits[0].value;"
            " to limit each value on its own: value: {applyLimitPerUniqueValue: true}"
        ),
    ),
    ("concurrency: 5", "semaphores.yaml:1: must be a mapping of keys to values, not 5 at concurrency"),
    (
        "concurrency: {pools: {granularity: OP}}",
        "semaphores.yaml:1: must be 'op' or 'run', not 'OP' at concurrency.pools.granularity; did you mean 'op'?",
    ),
    (
        "concurrency: {pools: {limits: {'*': 5}}}",
        (
            "semaphores.yaml:1: '*' is no name of a pool here at concurrency.pools.limits.*;"
            " for all pools without a limit of their own: default_limit"
        ),
    ),
    (
        "concurrency:\n  pools:\n    limits:\n      on: 5\n",
        "semaphores.yaml:4: a key must be text, not 'on' at concurrency.pools.limits; put it in quotes: \"on\"",
    ),
    ("run_monitoring: {start_timeout_seconds: 0}", "must be a number of seconds above 0, not 0"),
    ("run_monitoring: {enabled: 1}", "must be true or false, not 1"),
    ("redis: {ttl: 61}", "must be a number of seconds from 1 to 60, not 61"),
    ("redis: {namespace: 'a b'}", "must be 1 to 64 letters, digits, '_', '.' or '-', not 'a b' at redis.namespace"),
    ("redis: {url: localhost}", "must be the address of a server at redis.url"),
    (
        "dagster: {instance: {config: {}}}\nconcurrency: {}\n",
        (
            "semaphores.yaml:2: concurrency does not stand here at concurrency;"
            " it belongs to dagster.instance.config.concurrency"
        ),
    ),
    (
        "dagster: {instance: {concurrency: {}}}\n",
        (
            "concurrency does not stand here at dagster.instance.concurrency;"
            " it belongs to dagster.instance.config.concurrency"
        ),
    ),
    (
        "dagster:\n  instance:\n    config:\n      concurrency:\n        runs: {max_runs: 1}\n",
        (
            "semaphores.yaml:5: unknown key at dagster.instance.config.concurrency.runs.max_runs;"
            " did you mean 'max_concurrent_runs'?"
        ),
    ),
    ("- a\n", "semaphores.yaml:1: must be a mapping of sections, not a list; begin with 'concurrency:'"),
    ("a: 1\n---\nb: 1\n", "semaphores.yaml:2: not valid YAML"),
    ("a:\n\tb: 1\n", "semaphores.yaml:2: not valid YAML"),
    ("a: !!python/object:os.system {}\nredis: !!python/object:os.system {}", "semaphores.yaml:2: the tag"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[said[:60] for _, said in MISTAKES])
def test_a_mistake_is_told_with_file_line_path_and_what_was_meant(text: str, said: str) -> None:
    assert said in str(refusal(text))


@pytest.mark.parametrize(
    "number",
    ["-2", "-5", "1000001", "1.0", ".nan", ".inf", "true", "'5'", "five", "~", "[]", "{}", "010", "0x10", "9" * 40],
)
def test_what_is_no_limit_is_refused_wherever_limits_stand(number: str) -> None:
    for text in (
        f"concurrency: {{runs: {{max_concurrent_runs: {number}}}}}",
        f"concurrency: {{pools: {{default_limit: {number}}}}}",
        f"concurrency: {{pools: {{limits: {{db: {{limit: {number}}}}}}}}}",
        f"run_queue: {{tag_concurrency_limits: [{{key: a, limit: {number}}}]}}",
    ):
        error = refusal(text)
        assert "must be a whole number from 0 (nothing may start) to 1000000, or -1 (unlimited), not " in error.problem


def test_the_first_mistake_says_how_many_more_there_are_and_problems_gives_all(tmp_path: Path) -> None:
    file = tmp_path / "semaphores.yaml"
    file.write_text(
        "concurrency:\n  runs: {max_runs: 1}\n  pools:\n    default_limit: -7\nredis:\n  ttl: ${TTL}\n"
        "  ttl: 3\ntags: 1\nrun_qeue: 1\n"
    )
    with pytest.raises(ConfigError, match=r"semaphores.yaml:2: .*; 4 more problems in this file$"):
        read_config(file, {})
    assert [error.line for error in problems(file, {})] == [2, 4, 6, 7, 9]
    assert all(error.file == str(file) for error in problems(file, {}))


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "latin1.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    for name, said in {
        "missing.yaml": "missing.yaml: there is no such file; ",
        ".": ": this is a folder; ",
        "latin1.yaml": "latin1.yaml:2: not valid UTF-8; ",
        "large.yaml": "large.yaml: larger than 1000000 bytes; ",
        "latin1.yaml/below": "cannot be read: Not a directory",
        "no\0name": "cannot be read: ",
    }.items():
        with pytest.raises(ConfigError) as caught:
            read_config(os.fspath(tmp_path) + "/" + name)
        assert said in str(caught.value)
        assert len(problems(os.fspath(tmp_path) + "/" + name)) == 1


def test_an_empty_file_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").touch()
    (tmp_path / "bom.yaml").write_bytes("\ufeffrun_queue: {max_concurrent_runs: 1}".encode())
    assert read_config(tmp_path / "empty.yaml").limits == {}
    assert capacities(read_config(tmp_path / "bom.yaml")) == {"runs": 1}
    assert problems(tmp_path / "empty.yaml") == []


def test_aliases_that_multiply_or_never_end_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    assert parse_config(bomb).limits == {}, "what is foreign is not looked into"
    assert "more than 500000 values" in str(refusal(bomb + "redis: {url: *a8}\n"))
    assert "an alias refers to what it stands in" in str(refusal("redis: &r {url: *r}\n"))
    assert "an alias refers to what it stands in" in str(refusal("redis: &r {<<: *r}\n"))
    chain = "m0: &m0 {url: u}\n" + "".join(f"m{n}: &m{n} {{<<: *m{n - 1}}}\n" for n in range(1, 5000))
    assert "aliases nest deeper" in str(refusal(chain + "redis: *m4999\n"))
    assert "nested deeper" in str(refusal("a: " + "[" * 100_000))
    assert "nested deeper" in str(refusal("- " * 100_000))
