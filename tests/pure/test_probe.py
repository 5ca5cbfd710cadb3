"""Probe: a server is judged by what it proves, and refused by name with what it lacks."""

from __future__ import annotations

import pytest
import redis

from semaphores.errors import ServerUnavailable, ServerUnsuitable
from semaphores.scripts.call import function_words
from semaphores.scripts.compose import library
from semaphores.scripts.probe import ServerFacts, check_version, info_fields, judge, judge_load

GOOD = ["info=yes", "server=abc123", "redis_version=7.2.4", "valkey_version=8.0.1", "time=1", "receivers=0"]


@pytest.fixture
def loaded(raw: redis.Redis) -> redis.Redis:
    raw.execute_command("FUNCTION", "LOAD", "REPLACE", library().text)
    return raw


def probe(raw: redis.Redis, namespace: str) -> list[str]:
    return list(raw.execute_command(*function_words("probe", f"sem:{{{namespace}}}:")))


def test_this_server_proves_all_of_it(loaded: redis.Redis, raw: redis.Redis, namespace: str) -> None:
    facts = judge(probe(loaded, namespace))
    info = raw.info("server")
    assert facts.server_id == info["run_id"]
    assert facts.version == info.get("valkey_version", info["redis_version"])
    assert facts.name == ("Valkey" if "valkey_version" in info else "Redis")
    assert raw.keys(f"sem:{{{namespace}}}:*") == [], "it leaves nothing behind"


def test_a_full_server_is_still_judged(loaded: redis.Redis, raw: redis.Redis) -> None:
    """Who holds a lease must be able to connect and give it back."""
    raw.config_set("maxmemory", 1)
    try:
        assert judge(probe(loaded, "x")).server_id
    finally:
        raw.config_set("maxmemory", 0)


def test_a_valkey_is_called_by_its_own_name() -> None:
    assert judge(GOOD) == ServerFacts("Valkey", "8.0.1", "abc123")
    assert str(judge([line.encode() for line in GOOD])) == "Valkey 8.0.1"


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14"),
        ({"valkey_version": "7.0.1", "redis_version": "7.2.4"}, "Valkey 7.0.1"),
        ({"redis_version": "7.4.0", "dragonfly_version": "df-v1.2"}, "Dragonfly df-v1.2"),
        ({}, "unknown server"),
    ],
)
def test_a_server_that_is_too_old_or_another_is_named(info: dict[str, object], named: str) -> None:
    with pytest.raises(ServerUnsuitable, match=named):
        check_version(info)


@pytest.mark.parametrize(
    ("name", "version"), [("redis_version", "7.0.0"), ("redis_version", "10.1"), ("valkey_version", "7.2.0")]
)
def test_the_oldest_versions_and_newer_ones_are_fine(name: str, version: str) -> None:
    check_version({name: version})


def test_what_is_missing_is_told() -> None:
    lines = [line for line in GOOD if "receivers" not in line]
    with pytest.raises(ServerUnsuitable, match=r"Valkey 8.0.1 .*lacks receivers: ERR unknown command"):
        judge([*lines, "missing=receivers: ERR unknown command"])


@pytest.mark.parametrize("error", ["LOADING Redis is loading", "READONLY You can't write", "MISCONF Redis is unable"])
def test_a_server_that_will_not_answer_for_now_is_not_called_unsuitable(error: str) -> None:
    with pytest.raises(ServerUnavailable, match=error[:7]):
        judge(None, error, {"redis_version": "7.2.0"})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "ERR unknown command `FCALL`, with args beginning with: `semaphores_0_probe`",
            "Redis 6.2.1 does not know functions: Redis 7.0",
        ),
        ("NOPERM this user has no permissions to run the 'spublish' command", "Redis 6.2.1 does not allow"),
        ("ERR something else", "Redis 6.2.1 refused the function library: ERR something else"),
    ],
)
def test_a_refused_probe_says_why(error: str, said: str) -> None:
    with pytest.raises(ServerUnsuitable, match=said):
        judge(None, error, {"redis_version": "6.2.1"})


def test_a_library_that_another_process_loaded_first_is_fine() -> None:
    judge_load(None)
    judge_load("ERR Library 'semaphores_0' already exists")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ("NOPERM User sem may not run the 'function|load' command", ServerUnsuitable, r"\+function\|load"),
        ("READONLY You can't write against a read only replica.", ServerUnavailable, "for now"),
        ("OOM command not allowed when used memory > 'maxmemory'.", ServerUnavailable, "for now"),
        ("ERR unknown command 'FUNCTION'", ServerUnsuitable, "Redis 6.2.1 does not know functions"),
    ],
)
def test_a_library_that_is_refused_is_told(error: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        judge_load(error, info_fields(b"# Server\r\nredis_version:6.2.1\r\n"))
