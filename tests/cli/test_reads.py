"""What the reads promise: JSON with stable fields, text for people, and that both tell of what is really held."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from semaphores import Client, Lease, LeaseLost
from tests.cli.commandline import CommandLine, first_line, keys, rows

LEASE_FIELDS = {
    *("id", "slots", "token", "holder", "host", "since", "held_for", "revoked", "heartbeat_age", "alive"),
    "run",
}
REQUEST_FIELDS = {
    *("id", "slots", "holder", "host", "since", "waited", "blocked_by", "position", "priority", "heartbeat_age"),
    "alive",
}
SESSION_FIELDS = {
    *("id", "host", "program", "pids", "started", "heartbeat_age", "alive", "leases", "waiting"),
}
NAMESPACE_FIELDS = {
    *("exists", "schema", "epoch", "server", "ttl", "config", "grace", "quiet", "sessions", "places", "undrained"),
    *("broken", "settings"),
}


@contextmanager
def waiter(cli: CommandLine, client: Client) -> Iterator[str]:
    """Let a command wait for the pool `database`; gives the request's id."""
    process = cli.start("exec", "--pool", "database", "--priority", "3", "--", "true")
    patience = threading.Event()
    try:
        while not (found := client.requests("pool:database")):
            assert process.poll() is None, process.communicate()[1]
            patience.wait(0.02)  # a server tells nobody that somebody began to wait
        yield found[0].id
    finally:
        process.terminate()
        process.communicate(timeout=10)


def parsed(value: object) -> datetime:
    """Return a time that must have a zone."""
    found = datetime.fromisoformat(str(value))
    assert found.tzinfo is not None
    return found


def until_lost(lease: Lease) -> None:
    """Wait until a holder knows that its lease was taken: with the next beat at the latest."""
    patience = threading.Event()
    for _ in range(100):
        if lease.lost:
            return
        patience.wait(0.05)
    raise AssertionError("the holder was not told")


def test_status_tells_every_limit_and_the_namespace(cli: CommandLine, client: Client, namespace: str) -> None:
    client.limits.set("pool:database", 4, description="one writer")
    client.limits.set("pool:*", 2)
    with client.pool("database", slots=2):
        text = cli.ok("status").out
        found = cli.ok("status", "--json").json
    assert re.search(r"pool:database +2/4 .* hand +one writer", text), text
    assert re.search(r"pool:\* +2 each", text), text
    assert namespace in text
    assert keys(found) == {"name", "namespace", "limits", "runs"}
    assert isinstance(found, dict)
    assert keys(found["namespace"]) == NAMESPACE_FIELDS
    assert (found["namespace"]["ttl"], found["namespace"]["grace"]) == (5.0, None)
    assert [(row["limit"], row["used"]) for row in rows(found["limits"])] == [("pool:*", 0), ("pool:database", 2)]


def test_status_of_a_namespace_that_does_not_exist_says_so(cli: CommandLine) -> None:
    assert "nothing here yet" in cli.ok("status", "--namespace", "nobody-made-me").out


def test_watch_prints_what_changed_as_plain_lines_into_a_pipe(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 4)
    process = cli.start("status", "--watch")
    try:
        assert re.match(r"\d\d:\d\d:\d\d  LIMIT", first_line(process))
        assert "0/4" in first_line(process)
        client.limits.set("pool:database", 6)
        assert "0/6" in first_line(process)
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "")


def test_watch_in_json_is_an_object_a_line(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 4)
    process = cli.start("status", "--watch", "--json")
    try:
        assert first_line(process).startswith('{"name": ')
        assert '"pool:database"' in first_line(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_leases_and_sessions_tell_who_holds_what(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 4)
    with client.pool("database", slots=2) as lease:
        listed = cli.ok("lease", "list", "--json").json
        assert cli.ok("lease", "list", "--pool", "database", "--json").json != []
        assert cli.ok("lease", "list", "--limit", "pool:other", "--json").json == []
        shown = cli.ok("lease", "show", lease.id, "--json").json
        sessions = cli.ok("session", "list", "--json").json
        text = cli.ok("lease", "list").out
        session_text = cli.ok("session", "list").out
        (row,), (session,) = rows(listed), rows(sessions)
        assert keys(row) == keys(shown) == LEASE_FIELDS
        assert (row["id"], row["slots"], row["token"]) == (lease.id, {"pool:database": 2}, lease.token)
        assert abs((parsed(row["since"]) - lease.since).total_seconds()) < 2
        assert "pool:database x 2" in text
        assert keys(session) == SESSION_FIELDS
        assert parsed(session["started"])
        assert str(session["id"]) in session_text
    assert cli.ok("lease", "list").out == "nobody holds a slot\n"
    assert "did you mean" not in cli.fails(1, "lease", "show", "nobody/1")


def test_waiting_shows_the_ids_that_why_takes(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with client.pool("database") as lease, waiter(cli, client) as request:
        (row,) = rows(cli.ok("lease", "list", "--waiting", "--json").json)
        assert keys(row) == REQUEST_FIELDS
        assert (row["id"], row["blocked_by"], row["position"], row["priority"]) == (request, "pool:database", 1, 3)
        assert "pool:database" in cli.ok("lease", "list", "--waiting", "--pool", "database").out
        why = cli.ok("why", request, "--json").json
        text = cli.ok("why", request).out
    assert keys(why) == {"kind", "request", "needs", "grace"}
    assert isinstance(why, dict)
    (need,) = rows(why["needs"])
    assert keys(need) == {"limit", "slots", "used", "capacity", "state", "blocks", "before", "holders"}
    (holder,) = rows(need["holders"])
    assert (why["kind"], need["blocks"], holder["lease"]) == ("request", True, lease.id)
    assert parsed(holder["since"])
    assert "number 1 in line for pool 'database': 1 of 1 held, full; held by" in text


def test_why_answers_for_leases_sessions_and_limits_too(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:my%20pool", 4)
    with client.pool("my pool") as lease:
        session = lease.id.partition("/")[0]
        assert f"lease {lease.id} is granted" in cli.ok("why", lease.id).out
        assert f"session {session}" in cli.ok("why", session).out
        for name in ("my pool", "pool:my pool"):
            assert "1 of 4 held" in cli.ok("why", name).out
        kinds = {
            "lease": ({"lease"}, lease.id),
            "session": ({"session", "leases", "requests"}, session),
            "limit": ({"limit", "leases", "requests"}, "my pool"),
        }
        for kind, (fields, name) in kinds.items():
            told = cli.ok("why", name, "--json").json
            assert keys(told) == {"kind", *fields}
            assert isinstance(told, dict)
            assert told["kind"] == kind
    client.limits.set("pool:database", 1)
    assert "did you mean 'pool:database'?" in cli.fails(1, "why", "databse")


def test_a_forced_release_tells_the_holder_and_is_audited(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with pytest.raises(LeaseLost, match="released by force"), client.pool("database") as lease:
        assert "is taken from its holder" in cli.ok("lease", "release", lease.id).out
        until_lost(lease)
    newest = rows(cli.ok("audit", "--json", "--count", "1").json)[0]
    assert keys(newest) == {"id", "at", "what", "by", "before", "after", "details"}
    assert newest["what"] == f"revoke {lease.id}"
    assert parsed(newest["at"])
    assert f"revoke {lease.id}" in cli.ok("audit").out
    assert "there is no lease" in cli.fails(1, "lease", "release", "nobody/1", "--now")


def test_release_now_frees_at_once_and_says_that_two_may_work(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 1)
    with pytest.raises(LeaseLost), client.pool("database") as lease:
        assert "may still be at work" in cli.ok("lease", "release", lease.id, "--now").out
        assert client.limits.get("pool:database").used == 0
        until_lost(lease)


def test_doctor_finds_and_repairs_and_its_exit_code_tells(
    cli: CommandLine, client: Client, raw: object, namespace: str
) -> None:
    client.limits.set("pool:database", 4)
    assert "error" not in cli.ok("doctor").out
    with client.pool("database") as lease:
        raw.delete(f"sem:{{{namespace}}}:slots:pool:database")  # type: ignore[attr-defined]
        broken = cli.run("doctor", "--json")
        finding = next(row for row in rows(broken.json) if row["severity"] == "error")
        assert broken.code == 1
        assert keys(finding) == {"severity", "what", "key", "detail", "repair", "facts"}
        assert (finding["what"], finding["repair"]) == ("slots_missing", True)
        text = cli.run("doctor")
        assert text.code == 1
        assert "--repair mends" in text.out
        assert "repaired" in cli.ok("doctor", "--repair").out
        assert client.limits.get("pool:database").used == 1
        assert not lease.lost


def test_names_cannot_drive_the_terminal(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:%1B[2J", 4, description="\x1b]0;owned\x07 \u202egnp")
    for words in (("status",), ("limit", "list"), ("why", "pool:%1B[2J"), ("limit", "list", "--json"), ("audit",)):
        out = cli.ok(*words).out
        assert not set(out) & {"\x1b", "\x07", "\u202e"}, (words, out)
    assert "\\x1b[2J" in cli.ok("status").out
    assert "\x1b" not in cli.fails(1, "pool", "get", "\x1b[31mred")
