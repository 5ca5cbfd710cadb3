"""What `pool` and `limit` promise: each verb, what is said of it, and that a mistake gets one line that helps."""

from __future__ import annotations

import pytest

from semaphores import Client
from tests.cli.commandline import CommandLine, keys, rows

LIMIT_FIELDS = {
    *("limit", "name", "kind", "capacity", "used", "waiting", "oldest_wait", "paused", "paused_from", "default"),
    *("description", "origin", "more"),
}


def test_a_pool_is_set_shown_and_deleted(cli: CommandLine, client: Client) -> None:
    assert cli.ok("pool", "set", "database", "5", "--description", "one  writer").out == (
        "pool:database: 5 slots (was unlimited)\n"
    )
    found = cli.ok("pool", "get", "database", "--json").json
    assert keys(found) == LIMIT_FIELDS
    assert isinstance(found, dict)
    assert (found["limit"], found["capacity"], found["description"]) == ("pool:database", 5, "one writer")
    assert cli.ok("pool", "delete", "database").out == "pool:database: deleted (was 5 slots)\n"
    assert client.status() == ()


def test_minus_one_and_unlimited_are_numbers_and_not_options(cli: CommandLine, client: Client) -> None:
    cli.ok("pool", "set", "a", "-1")
    cli.ok("limit", "set", "runs", "unlimited")
    assert [(limit.limit, limit.capacity) for limit in client.status()] == [("pool:a", None), ("runs", None)]


def test_the_star_is_the_default_of_all_pools(cli: CommandLine, client: Client) -> None:
    assert cli.ok("pool", "set", "*", "7").out == "pool:*: 7 slots (was unlimited)\n"
    assert [limit.limit for limit in client.status()] == ["pool:*"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("runs", "runs"),
        ("pool:my pool", "pool:my%20pool"),
        ("pool:a%b", "pool:a%25b"),
        ("tag:team", "tag:team"),
        ("tag:team=growth=2", "tag:team=growth=2"),
        ("tag:team=*", "tag:team=*"),
    ],
)
def test_a_limit_is_written_as_people_write_it(cli: CommandLine, client: Client, written: str, stored: str) -> None:
    cli.ok("limit", "set", written, "2")
    assert [limit.limit for limit in client.status()] == [stored]
    assert written in cli.ok("limit", "list").out


def test_a_paused_pool_comes_back_with_what_was_set_meanwhile(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 5)
    assert "'resume' brings back 5 slots" in cli.ok("pool", "pause", "database").out
    assert client.limits.get("pool:database").capacity == 0
    assert cli.ok("pool", "set", "database", "3").out == (
        "pool:database is paused: 3 slots once it is resumed ('resume')\n"
    )
    assert client.limits.get("pool:database").capacity == 0
    assert cli.ok("pool", "resume", "database").out == "pool:database goes on: 3 slots\n"
    assert client.limits.get("pool:database").capacity == 3


def test_pausing_says_who_still_holds_slots(cli: CommandLine, client: Client) -> None:
    client.limits.set("tag:team", 2)
    with client.acquire(tags={"team": "growth"}):
        assert "1 slots are still held" in cli.ok("limit", "pause", "tag:team").out
    assert "goes on" in cli.ok("limit", "resume", "tag:team").out


def test_resume_of_a_plain_zero_is_refused_with_the_reason(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 0)
    error = cli.fails(1, "pool", "resume", "database")
    assert "was not paused but set to 0" in error
    assert "set one" in error
    client.limits.set("pool:database", 4)
    assert "is not paused: its capacity is 4" in cli.fails(1, "pool", "resume", "database")


def test_an_unknown_name_is_answered_with_the_nearest_known_one(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 5)
    for verb in ("get", "delete", "pause", "resume"):
        assert cli.fails(1, "pool", verb, "databse") == "there is no pool 'databse'; did you mean 'database'?"
    assert "did you mean 'pool:database'" in cli.fails(1, "limit", "get", "tag:database")
    assert client.limits.get("pool:database").capacity == 5


def test_lists_are_json_with_documented_fields(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 5)
    client.limits.set("runs", 2)
    pools, limits = cli.ok("pool", "list", "--json").json, cli.ok("limit", "list", "--json").json
    assert [row["limit"] for row in rows(pools)] == ["pool:database"]
    assert [row["limit"] for row in rows(limits)] == ["pool:database", "runs"]
    assert all(keys(row) == LIMIT_FIELDS for row in rows(limits))


def test_an_empty_list_says_what_to_do(cli: CommandLine) -> None:
    assert "pool set NAME N" in cli.ok("pool", "list").out
    assert cli.ok("limit", "list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pool", "set", "a", "-5"), "limit cannot be -5"),
        (("pool", "set", "a", "1.5"), "limit cannot be '1.5'"),
        (("pool", "set", "a", "9999999"), "to 1000000"),
        (("pool", "set", "a"), "Missing argument 'N'"),
        (("pool", "set", "a", "1", "2"), "unexpected extra argument"),
        (("pool", "set", "a", "--descripton", "x", "1"), "did you mean --description?"),
        (("pool", "set", "", "1"), "at least one character"),
        (("limit", "set", "database", "1"), "did you mean 'pool:database'?"),
        (("limit", "set", "tag:", "1"), "at least one character"),
        (("pools", "list"), "did you mean 'pool'?"),
        (("pool", "sett", "a", "1"), "there is no command 'pool sett'; did you mean 'set'?"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    cli: CommandLine, client: Client, words: tuple[str, ...], said: str
) -> None:
    assert said in cli.fails(2, *words)
    assert client.status() == ()
