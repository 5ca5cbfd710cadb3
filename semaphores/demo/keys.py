"""Keys: how to look at the demo's namespace with redis-cli, and how its keys are removed in the end."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from shlex import join, quote
from typing import cast

from semaphores.client import Client
from semaphores.server.prompt import shown
from semaphores.server.wire import Reply
from semaphores.transport.find import find

__all__ = ["command_line", "held_by", "look", "redis_cli", "remove_keys", "to_look_at"]

STAND_IN = "semaphores server cli"

_BATCH = "500"  # keys looked at in one SCAN, so that a big server is not held up


def held_by(client: Client, session: str) -> list[tuple[str, ...]]:
    """Return the commands that show who holds `sqlite`, what that session holds, and who waits."""
    prefix = client.connections.prefix
    return [
        ("HGETALL", f"{prefix}limits"),
        ("ZRANGE", f"{prefix}slots:pool:sqlite", "0", "-1", "WITHSCORES"),
        ("HGETALL", f"{prefix}session:{session}:leases"),
        ("ZRANGE", f"{prefix}waiters:pool:sqlite", "0", "-1", "WITHSCORES"),
    ]


def to_look_at(client: Client, program: str) -> list[str]:
    """Return command lines for any time: all keys, the limits, who holds `sqlite`, who changed what."""
    prefix = client.connections.prefix
    every = ("KEYS", f"{prefix}*") if program == STAND_IN else ("--scan", "--pattern", f"{prefix}*")
    commands: list[tuple[str, ...]] = [
        every,
        ("HGETALL", f"{prefix}limits"),
        ("ZRANGE", f"{prefix}slots:pool:sqlite", "0", "-1", "WITHSCORES"),
        ("XRANGE", f"{prefix}audit", "-", "+"),
    ]
    return [command_line(program, command) for command in commands]


def look(client: Client, command: tuple[str, ...]) -> str:
    """Return what redis-cli would show."""
    return shown(cast(Reply, client.connections.plain(*command)))


def redis_cli(client: Client, *, embedded: bool) -> str:
    """Return how redis-cli is called for this server; never with a password."""
    program = next((name for name in ("redis-cli", "valkey-cli") if shutil.which(name)), None)
    if program is None and embedded:
        return STAND_IN
    endpoint = client.connections.endpoint
    found: Mapping[str, object] = find(endpoint, f"{client.connections.prefix}meta")
    where = ["-s", str(found["path"])] if "path" in found else ["-h", str(found["host"]), "-p", str(found["port"])]
    options = [
        *where,
        *(["-n", str(endpoint.database)] if endpoint.database else []),
        *(["--tls"] if endpoint.tls else []),
        *(["--user", endpoint.username] if endpoint.username else []),
        *(["--askpass"] if endpoint.password is not None else []),
        *(["-c"] if endpoint.kind == "cluster" else []),
    ]
    return join([program or "redis-cli", *options])


def command_line(program: str, command: tuple[str, ...]) -> str:
    """Return a command as it is typed into a shell."""
    return " ".join([program, *(quote(word) for word in command)])


def remove_keys(client: Client) -> int:
    """Remove every key of the demo's own namespace; return how many there were."""
    cursor, removed = "0", 0
    while True:
        reply = client.connections.plain("SCAN", cursor, "MATCH", f"{client.connections.prefix}*", "COUNT", _BATCH)
        position, keys = cast(tuple[bytes, list[bytes]], reply)
        if keys:
            client.connections.plain("UNLINK", *(key.decode() for key in keys))
        cursor, removed = position.decode(), removed + len(keys)
        if cursor == "0":
            return removed
