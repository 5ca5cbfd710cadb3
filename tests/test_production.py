"""docs/production.md: the rule for a user with few rights is exactly what is needed, and everything runs with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from semaphores import Client, ServerError, connect
from semaphores.metrics import Exporter
from semaphores.runs import RunSpec
from tests.metrics.scene import parsed
from tests.servers import Server, start_server
from workers import Job, op
from workers.definitions import Location
from workers.worker import Worker, WorkerSettings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "production.md").read_text("utf-8")
PASSWORD = "few-rights"  # noqa: S105 (of a server that lives for this test)
NOT_IN_LUA = {  # what connections, `connect` and `doctor` send themselves
    *("hello", "auth", "select", "ping", "client|setname", "function|load", "function|list"),
    *("fcall", "fcall_ro", "ssubscribe", "config|get"),
}


def rule() -> list[str]:
    """The words of the rule behind the user's name, as the page has them."""
    found = re.search(r"^ACL SETUSER semaphores (.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].replace("PASSWORD", PASSWORD).split()


def granted() -> set[str]:
    return {word[1:] for word in rule() if word.startswith("+")}


def commands_in_lua() -> set[str]:
    """Every command that a script may run: all words in capitals that stand as text, and are commands."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "lua").rglob("*.lua"))
    return {word.lower() for word in re.findall(r"'([A-Z]+)'", text)}


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Server, str]]:
    """A server, and an address as that user."""
    with start_server() as server, server.client() as raw:
        raw.execute_command("ACL", "SETUSER", "semaphores", *rule())
        yield server, f"unix://semaphores:{PASSWORD}@{server.socket}"


def test_the_rule_has_what_scripts_run_and_nothing_more(server: Server) -> None:
    with server.client() as raw:
        known = {str(name).lower() for name in raw.command()}
    data = granted() - NOT_IN_LUA
    assert commands_in_lua() & known == data


@op(pool="db")
async def load() -> str:
    return "done"


def test_everything_runs_with_it(guarded: tuple[Server, str]) -> None:
    with connect(guarded[1], namespace="few", init=True) as client:
        client.limits.set("pool:db", 2, description="of a test")
        asyncio.run(_works(client))
        with client.pool("db", timeout=5) as lease:
            assert [held.id for held in client.leases("pool:db")] == [lease.id]
            assert client.why("pool:db")
        assert client.runs.get("r1").run.status == "SUCCESS"
        assert client.runs.log("r1")
        assert client.runs.lines() == ()
        assert parsed(Exporter(client).text().body.decode())["semaphores_up"].value() == 1
        assert client.audit()
        errors = [one for one in client.examine() if one.severity == "error"]
        assert errors == []
        client.repair([])


async def _works(client: Client) -> None:
    worker = Worker(Location("here", {"etl": Job("etl", [load])}), client.connections, WorkerSettings(concurrency=1))
    work = asyncio.create_task(worker.work())
    await client.aio.runs.submit(RunSpec("etl", location="here", tags={"team": "growth"}), run="r1")
    await client.aio.runs.submit(RunSpec("etl", location="here", queue="gpu"), run="r2")
    await client.aio.runs.cancel("r2")
    await worker.until_finished(1)
    worker.drain()
    await work


def test_it_opens_nothing_of_others(guarded: tuple[Server, str]) -> None:
    server, _ = guarded
    with redis.Redis(unix_socket_path=str(server.socket), username="semaphores", password=PASSWORD) as user:
        for words in (
            ("GET", "other"),
            ("HGET", "other", "x"),
            ("FLUSHALL",),
            ("CONFIG", "SET", "save", ""),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.ResponseError, match="(?i)perm"):
                user.execute_command(*words)


def test_who_may_only_read_sees_everything_and_changes_nothing(guarded: tuple[Server, str]) -> None:
    server, address = guarded
    with connect(address, namespace="looked", init=True) as client:
        client.limits.set("pool:db", 1)
    with server.client() as raw:
        raw.execute_command("ACL", "SETUSER", "reader", *rule(), "-fcall", "-function|load")
    with connect(address.replace("semaphores:", "reader:"), namespace="looked") as client:
        assert [one.limit for one in client.status()] == ["pool:db"]
        assert parsed(Exporter(client).text().body.decode())["semaphores_up"].value() == 1
        with pytest.raises(ServerError):
            client.limits.set("pool:db", 2)
