"""Keys: what a running server holds is what docs/keys.md says."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Thread

import redis

from semaphores import LeaseLost, connect
from semaphores.client import Client
from semaphores.scripts.commands import ChangeLimits
from tests.lua.fleet import enroll, start, submit, take
from tests.lua.harness import Calls
from tests.servers import Server

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|", PAGE.split("\n## The keys\n")[1].split("\n## ")[0], re.MULTILINE)
TYPES = {"hash": "hash", "sorted set": "zset", "set": "set", "stream": "stream"}


def documented(key: str) -> str | None:
    """Return the name under which a key stands on the page; the longest that fits."""
    fitting = [
        name for name, _ in ROWS if re.fullmatch(re.sub(r"[A-Z]+", ".+", name) + ("" if ":" in name else "$"), key)
    ]
    return max(fitting, key=len, default=None)


def test_every_key_of_a_busy_namespace_is_on_the_page_with_its_type(
    server: Server, namespace: str, raw: redis.Redis
) -> None:
    client = connect(server.url, namespace=namespace, init=True)
    client.limits.set("pool:database", 1, description="busy")
    waiting = Thread(target=wait_in_line, args=(client,))
    try:
        with client.pool("database") as lease:
            waiting.start()
            while not client.requests():
                pass
            work(Calls(server, namespace))
            held = keys_of(raw, namespace)
            client.release(lease.id)  # a timer, until its holder answers
            held |= keys_of(raw, namespace)
    except LeaseLost:
        pass
    waiting.join()
    client.close()
    types = dict(ROWS)
    wrong = {key: kind for key, kind in held.items() if TYPES[types.get(documented(key) or "", "hash")] != kind}
    assert not wrong
    assert not [key for key in held if documented(key) is None]
    quiet = {"never", "session:ID:aside", "undrained", "timers", "broken"}
    assert {name for name, _ in ROWS} - quiet <= {documented(key) for key in held}, "all others are in use here"


def work(calls: Calls) -> None:
    """Leave a run at work, one that waits for a seat, and a free seat."""
    worker = calls.session("worker")
    worker.send(ChangeLimits([], "hand", "me", settings={"granularity": "op"}))
    enroll(worker, "etl")
    submit(worker, "r1")
    take(worker)
    start(
        worker,
        "r1",
        ops={"extract": "STARTED since=1 attempt=1 text="},
        entries=[["kind", "INFO", "text", "it begins"]],
    )
    submit(worker, "r2", "report")
    take(worker)
    calls.close()


def wait_in_line(client: Client) -> None:
    """Wait until the holder is gone."""
    with client.pool("database", timeout=30):
        pass


def keys_of(raw: redis.Redis, namespace: str) -> dict[str, str]:
    """Return the keys of a namespace, without their prefix, and their types."""
    prefix = f"sem:{{{namespace}}}:"
    with raw.pipeline() as together:  # one moment
        keys = sorted(raw.scan_iter(f"{prefix}*", count=10_000))
        for key in keys:
            together.type(key)
        kinds = together.execute()
    return {key.removeprefix(prefix): kind for key, kind in zip(keys, kinds, strict=True) if kind != "none"}
