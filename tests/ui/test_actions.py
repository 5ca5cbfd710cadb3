"""Actions: what forms change, what they say was done, and how a mistake is shown beside its field."""

from __future__ import annotations

import json

import msgpack
import pytest

from semaphores import Client
from semaphores.runs.why import RunWhy
from tests.ui.scene import EVIL, Scene
from tests.ui.visitor import Visitor, plain


def said(visitor: Visitor, location: str) -> str:
    """What the page says after a form was sent; it says so once."""
    text = visitor.text(location)
    assert visitor.text(location) != text
    return text


# Limits


def test_a_pool_is_added_edited_paused_resumed_and_deleted(visitor: Visitor, empty: Scene, client: Client) -> None:
    told = {"kind": "pool", "name": "my pool", "capacity": "3", "description": " what  it is "}
    location = visitor.post("set-limit", told).headers["location"]
    assert location == "/limit?name=pool%3Amy%2520pool"
    assert "pool:my pool: 3 slots" in said(visitor, location)
    limit = client.limits.get("pool:my%20pool")
    assert (limit.capacity, limit.description, limit.origin) == (3, "what it is", "hand")
    visitor.post("set-limit", {"limit": "pool:my%20pool", "capacity": "7"})
    assert client.limits.get("pool:my%20pool").capacity == 7
    visitor.post("pause", {"name": "pool:my%20pool"})
    assert client.limits.get("pool:my%20pool").paused_from == 7
    visitor.post("resume", {"name": "pool:my%20pool", "back": "/?show=paused"})
    assert client.limits.get("pool:my%20pool").capacity == 7
    answer = visitor.post("delete-limit", {"name": "pool:my%20pool"})
    assert answer.headers["location"] == "/"
    assert "the limit of pool:my pool is deleted" in said(visitor, "/")
    assert [entry.what.split(" ")[0] for entry in client.audit(5)] == ["delete", "resume", "pause", "set", "set"]


@pytest.mark.parametrize(
    ("kind", "name", "limit"),
    [
        ("runs", "", "runs"),
        ("default", "", "pool:*"),
        ("tag", "team", "tag:team"),
        ("value", "team=growth", "tag:team=growth"),
        ("unique", "team", "tag:team=*"),
        ("pool", EVIL, f"pool:{EVIL}"),
        ("pool", "*", "pool:%2A"),
    ],
)
def test_every_kind_of_limit_can_be_set(
    visitor: Visitor, empty: Scene, client: Client, kind: str, name: str, limit: str
) -> None:
    visitor.post("set-limit", {"kind": kind, "name": name, "capacity": "2"})
    assert client.limits.get(limit).capacity == 2


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "It must be at least one character."),
        ({"name": "x" * 300}, "It must be at most 200 bytes."),
        ({"capacity": ""}, "It must be a whole number from 0 to 1000000, or -1 for unlimited."),
        ({"capacity": "many"}, "It must be a whole number"),
        ({"capacity": "1000001"}, "It must be a whole number from 0"),
        ({"capacity": "-2"}, "It must be a whole number from 0"),
        ({"kind": "value", "name": "team"}, "It must be KEY=VALUE."),
        ({"kind": "other"}, "It must be one of the list."),
        ({"description": "x" * 1001}, "at most 1000 characters"),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_is_lost(
    visitor: Visitor, empty: Scene, client: Client, fields: dict[str, str], problem: str
) -> None:
    told = {"kind": "pool", "name": "database", "capacity": "3", "description": EVIL} | fields
    answer = visitor.post("set-limit", told, status=422)
    assert problem in plain(answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert EVIL not in answer.text
    if "description" not in fields:
        assert "&lt;script&gt;" in answer.text, "what was written is still there"
    assert client.status() == ()


def test_what_cannot_be_done_is_said(visitor: Visitor, scene: Scene) -> None:
    answer = visitor.post("resume", {"name": "pool:database"}, status=409)
    assert "is not paused" in plain(answer.text)
    visitor.post("delete-limit", {"name": "pool:unknown"}, status=404)
    visitor.post("pause", {"name": "nonsense"}, status=404)
    visitor.post("release", {"lease": "nobody/1"}, status=404)
    visitor.post("cancel", {"run": "nobody"}, status=404)
    visitor.post("cancel", {"run": "done000000000001"}, status=409)
    visitor.post("retry", {"run": "cccccccccccccccc"}, status=409)


def test_a_slot_is_freed_after_it_was_asked_and_the_next_in_line_goes_on(
    visitor: Visitor, scene: Scene, client: Client
) -> None:
    lease = client.leases("pool:database")[0]
    text = visitor.text(f"/confirm?what=release&lease={lease.id}&back=/limit?name=pool:database")
    assert "Free the slots of this lease?" in text
    assert "host:1:alice" in text
    visitor.post("release", {"lease": lease.id})
    assert [one.revoked is not None for one in client.leases("pool:database")] == [True, False], (
        "it is told, and has time"
    )
    other = client.leases("pool:database")[1]
    answer = visitor.post("release", {"lease": other.id, "now": "1", "back": "/limit?name=pool:database"})
    assert answer.headers["location"] == "/limit?name=pool:database"
    assert "its slots are free" in said(visitor, "/")
    assert other.id not in [one.id for one in client.leases("pool:database")]


def test_all_slots_of_a_run_are_freed_by_canceling_it(visitor: Visitor, scene: Scene, client: Client) -> None:
    text = visitor.text("/confirm?what=cancel&run=0a0a0a0a0a0a0a0a")
    assert "Its worker ends its ops" in text
    visitor.post("cancel", {"run": "0a0a0a0a0a0a0a0a"})
    assert client.runs.get("0a0a0a0a0a0a0a0a").run.status == "CANCELING"
    visitor.post("cancel", {"run": "dddddddddddddddd"})
    assert client.runs.get("dddddddddddddddd").run.status == "CANCELED"


# Runs


def test_a_run_gets_another_place_in_line(visitor: Visitor, scene: Scene, client: Client) -> None:
    visitor.post("priority", {"run": "dddddddddddddddd", "priority": "9"})
    why = client.why("dddddddddddddddd")
    assert isinstance(why, RunWhy)
    assert (why.run.priority, why.position) == (9, 1)
    for wrong in ("", "x", "99999", "1.5"):
        visitor.post("priority", {"run": "dddddddddddddddd", "priority": wrong}, status=422)


def test_a_failed_run_is_retried(visitor: Visitor, scene: Scene, client: Client) -> None:
    assert "Retry" in visitor.text("/run?id=bad0000000000001")
    visitor.post("retry", {"run": "bad0000000000001"})
    assert client.runs.get("bad0000000000001").run.status == "QUEUED"


def test_a_run_is_submitted_with_arguments_tags_and_config(visitor: Visitor, scene: Scene, client: Client) -> None:
    assert "Needed: day" in visitor.text("/submit?job=etl")
    told = {
        "job": "etl",
        "args": '{"day": 5}',
        "tags": "team=ml\nnote=a=b",
        "config": "execution: {config: {multiprocess: {max_concurrent: 2}}}",
        "priority": "7",
    }
    location = visitor.post("submit", told).headers["location"]
    run = client.runs.get(location.partition("id=")[2]).run
    assert (run.job, run.priority, dict(run.tags), run.status) == ("etl", 7, {"team": "ml", "note": "a=b"}, "QUEUED")
    assert run.location == "jobs"
    assert "database" in run.pools
    stored = client.connections.ask({"ask": "run", "id": run.id})["row"]
    assert isinstance(stored, dict)
    config = json.loads(str(stored["config"]))
    assert config == {"execution": {"config": {"multiprocess": {"max_concurrent": 2}}}}


def test_the_arguments_of_a_submitted_run_reach_it(visitor: Visitor, scene: Scene) -> None:
    location = visitor.post("submit", {"job": "etl", "args": '{"day": [1, "é"]}'}).headers["location"]
    stored = scene.calls.connection.hget(scene.calls.key(f"run:{location.partition('id=')[2]}"), "args")
    assert msgpack.unpackb(stored) == {"day": [1, "é"]}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"args": "{"}, "This is not JSON"),
        ({"args": "[1]"}, "It must be a JSON object"),
        ({"tags": "team"}, "write KEY=VALUE"),
        ({"tags": "job=x"}, "are set by the system"),
        ({"config": "a: [1"}, "Line 1: not valid YAML"),
        ({"config": "- 1"}, "It must be a mapping"),
        ({"priority": "high"}, "priority cannot be 'high'"),
        ({"queue": "no such queue"}, "queue"),
    ],
)
def test_a_mistake_in_a_run_is_said_and_nothing_is_queued(
    visitor: Visitor, scene: Scene, client: Client, fields: dict[str, str], problem: str
) -> None:
    before = client.runs.counts()
    answer = visitor.post("submit", {"job": "etl", **fields}, status=422)
    assert problem in plain(answer.text)
    assert client.runs.counts() == before
    visitor.post("submit", {"job": "unknown"}, status=404)
