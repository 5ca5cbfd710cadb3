"""Views: each shows the facts that the client tells, page by page, and says what to do where there is nothing."""

from __future__ import annotations

import re

from semaphores import Client, connect
from semaphores.runs import RunSpec
from semaphores.scripts.commands import ChangeLimits, LimitChange
from semaphores.ui import PageSettings
from semaphores.ui.query import address
from tests.servers import start_server
from tests.ui.scene import EVIL, TTL, Scene
from tests.ui.visitor import Visitor, plain, visiting

DEAD = '<span class="tag bad">dead</span>'


def rows(html: str) -> list[str]:
    """The rows of all tables, as text."""
    bodies = re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL)
    return [plain(row) for body in bodies for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)]


def row(html: str, word: str) -> str:
    """The one row that has a word."""
    found = [one for one in rows(html) if word in one]
    assert len(found) == 1, (word, rows(html))
    return found[0]


# Concurrency


def test_every_limit_is_shown_as_the_client_tells_it(reader: Visitor, scene: Scene, client: Client) -> None:
    html = reader.get("/").text
    assert row(html, "pool database").startswith("pool database connections that the primary can take 2 /2")
    assert re.search(r" 2 (now|\d\.\d s) own$", row(html, "pool database")), "two wait; since when"
    assert "paused from 4" in row(html, "pool gpu")
    assert "default" in row(html, "tag team=growth")
    assert "5 each" in row(html, "each pool without its own")
    assert "3/10" in row(html, "pool api").replace(" ", "")
    shown = {limit.limit for limit in client.status() if f"row-{limit.limit}" in html}
    assert {"pool:database", "runs", "tag:team=growth"} <= shown
    assert "tag:job" not in shown, "tags that nothing limits have a list of their own"
    assert "row-tag:job" in reader.get("/?show=all").text


def test_limits_are_filtered_by_words_and_by_state(reader: Visitor, scene: Scene) -> None:
    assert len(rows(reader.get("/?q=DATA").text)) == 1
    assert len(rows(reader.get("/?q=primary+can").text)) == 1, "descriptions, too"
    assert [one.split(" ")[1] for one in rows(reader.get("/?show=waiting").text)] == ["database", "gpu", "all"]
    assert [one.split(" ")[1] for one in rows(reader.get("/?show=full").text)] == ["database", "all"]
    assert [one.split(" ")[1] for one in rows(reader.get("/?show=paused").text)] == ["gpu"]
    first = rows(reader.get("/?sort=waiting").text)[0]
    assert "database" in first or "all runs" in first
    assert "No limit matches" in reader.text("/?q=nothing-of-the-kind")


def test_thousands_of_limits_come_in_pages(reader: Visitor, empty: Scene, client: Client) -> None:
    client.limits.change([LimitChange(f"pool:p{n:03}", "set", 5) for n in range(120)])
    html = reader.get("/").text
    assert len(rows(html)) == 50
    assert "page 1 of 3" in plain(html)
    assert len(rows(reader.get("/?page=3").text)) == 20
    assert len(rows(reader.get("/?page=99").text)) == 20, "a page that is gone is the last one"
    assert len(rows(reader.get("/?page=x&q=p11").text)) == 10


def test_an_empty_namespace_says_what_to_do(reader: Visitor, empty: Scene) -> None:
    assert "semaphores pool set database 3" in reader.text("/")
    assert "semaphores worker MODULE" in reader.text("/runs")
    assert "semaphores run submit JOB" in reader.text("/runs")
    assert "semaphores worker MODULE" in reader.text("/jobs")
    assert "semaphores worker MODULE" in reader.text("/workers")
    assert "Nothing was changed yet" in reader.text("/config")
    assert "semaphores exec --pool database -- sleep 60" in reader.text("/limit?name=pool:database")


# A limit


def test_a_limit_shows_holders_and_the_line_in_its_order(reader: Visitor, scene: Scene, client: Client) -> None:
    html = reader.get("/limit?name=pool:database").text
    holders = [one for one in rows(html) if "host:1:alice" in one]
    assert len(holders) == 2
    for lease in client.leases("pool:database"):
        assert any(lease.id in one and str(lease.token) in one for one in holders)
    line = [one for one in rows(html) if "host:1:bob" in one]
    assert [one.split(" ")[0] for one in line] == ["1", "2"]
    assert " 5 1 " in line[0], "the higher priority is first"
    assert "2 slots held, 0 free; 1 before it" in line[1]
    assert "Granularity op" in plain(html)


def test_runs_that_are_queued_stand_in_the_line_of_their_limit(reader: Visitor, scene: Scene, client: Client) -> None:
    html = reader.get("/limit?name=runs").text
    waits = [one for one in rows(html) if "of job" in one]
    assert ["cccccccccccccccc" in waits[0], "dddddddddddddddd" in waits[1]] == [True, True]
    assert len(waits) == client.limits.get("runs").waiting == 2
    assert any("0a0a0a0a0a0a0a0a" in one for one in rows(html)), "the run that holds a slot is named"


def test_the_reason_of_a_waiter_names_its_other_limits(reader: Visitor, empty: Scene) -> None:
    empty.limits()
    empty.holders()
    empty.alice.change({"limit": "pool:api", "kind": "set", "capacity": 3})
    waits = [one for one in rows(reader.get("/limit?name=pool:database").text) if "bob/" in one]
    assert "then pool api : full" in waits[1]


def test_many_holders_come_in_pages(reader: Visitor, empty: Scene) -> None:
    empty.alice.change({"limit": "pool:wide", "kind": "set", "capacity": 1000})
    for _ in range(3):
        empty.alice.acquire("pool:wide=90")
    html = reader.get("/limit?name=pool:wide").text
    assert len(rows(html)) == 3
    following = re.search(r'href="([^"]*from=\d+[^"]*)"', html)
    assert following is not None
    assert len(rows(reader.get(following[1].replace("&amp;", "&")).text)) == 1, "the lease that goes on there"


def test_what_cannot_be_a_limit_is_not_found(reader: Visitor, empty: Scene) -> None:
    for name in ("", "nonsense", "pool:", "pool:a b", "x" * 5000):
        reader.get(address("/limit", name=name), status=404)
    assert "no limit" in reader.text("/limit?name=pool:unknown")
    assert "there is no such page" in plain(reader.get("/nowhere", status=404).text)


# Runs


def test_runs_are_listed_and_filtered_on_the_server(reader: Visitor, scene: Scene, client: Client) -> None:
    html = reader.get("/runs").text
    assert len(rows(html)) == 6 == sum(client.runs.counts().values())
    assert rows(html)[0].startswith("dddddddddddddddd report queued team=growth 0 0/3")
    assert len(rows(reader.get("/runs?show=queue").text)) == 2
    assert len(rows(reader.get("/runs?show=progress").text)) == 2
    assert [EVIL in one for one in rows(reader.get("/runs?show=FAILURE").text)] == [True]
    assert len(rows(reader.get("/runs?job=train").text)) == 2
    assert len(rows(reader.get("/runs?tag=team=growth").text)) == 4
    assert len(rows(reader.get("/runs?tag=team=growth&show=queue").text)) == 1
    assert "No such runs" in reader.text("/runs?job=nobody")
    assert "write KEY=VALUE" in plain(reader.get("/runs?tag=team", status=422).text)


def test_runs_come_in_pages_none_twice_none_missing(reader: Visitor, empty: Scene, client: Client) -> None:
    empty.alice.change({"limit": "runs", "kind": "set", "capacity": 0})
    names = {client.runs.submit(RunSpec("etl" if n % 3 else "other")).run for n in range(130)}
    client.runs.cancel(min(names))
    seen: list[str] = []
    path = "/runs"
    for count in (50, 50, 30):
        html = reader.get(path).text
        found = re.findall(r'<tr id="run-(\w+)"', html)
        assert len(found) == count
        seen += found
        following = re.search(r'href="([^"]*after=[^"]*)"', html)
        path = following[1].replace("&amp;", "&") if following else ""
    assert path == ""
    assert set(seen) == names
    assert len(seen) == 130
    reader.get("/runs?after=nonsense", status=422)


def test_a_run_shows_why_it_waits(reader: Visitor, scene: Scene, client: Client) -> None:
    text = reader.text("/run?id=cccccccccccccccc")
    assert "Why is it queued?" in text
    assert "is number 1 in line for runs: 2 of 2 held, full" in text
    assert "held by run 0a0a0a0a0a0a0a0a" in text


def test_a_run_shows_its_ops_on_a_time_line_and_its_log(reader: Visitor, scene: Scene) -> None:
    html = reader.get("/run?id=0a0a0a0a0a0a0a0a").text
    ops = re.findall(r'id="op-(\S+)"', html)
    assert ops == ["-run", "extract", "lookup", "transform", "load"]
    load = html.partition('id="op-load"')[2].partition('class="axis"')[0]
    assert "b-waiting" in load
    assert "name=pool%3Adatabase" in load, "the limit that it waits for"
    assert "b-running" in html.partition('id="op-extract"')[2].partition('id="op-')[0]
    assert "reading 14 files" in plain(html)
    assert "<script>alert(1)</script> is only text" in plain(html)
    reader.get("/run?id=unknown", status=404)
    reader.get("/run?id=pool:database", status=404)


def test_jobs_say_which_of_their_pools_has_no_limit(reader: Visitor, scene: Scene) -> None:
    assert "no limit" not in row(reader.get("/jobs").text, "The job etl."), "the default covers it"
    scene.alice.change({"limit": "pool:*", "kind": "delete"})
    text = row(reader.get("/jobs").text, "The job etl.")
    assert "pool database pool nolimit no limit" in text


# Workers, config


def test_workers_and_sessions_are_shown_and_the_dead_are_marked(reader: Visitor, scene: Scene) -> None:
    html = reader.get("/workers").text
    worker = row(html, "37 %")
    assert worker.startswith("worker-host-3 pid 4711 worker default 2 /4 0a0a0a0a0a0a0a0a bbbbbbbbbbbbbbbb 37 % 61 %")
    assert "4 leases" in row(html, "/srv/refresh.py")
    assert DEAD not in html


def test_a_session_that_is_not_heard_of_is_dead(namespace: str) -> None:
    with start_server() as own:
        made = Scene(own, namespace)
        made.calls.connection.hset(made.calls.key("session:bob"), "expiry", "1")
        made.calls.connection.hset(made.calls.key("meta"), "since", "0")  # else all have their ttl from the epoch on
        made.alice.send(ChangeLimits([], "hand", "me"))
        made.calls.connection.hincrby(made.calls.key("meta"), "clock", int(2 * TTL * 1e6))

        with connect(own.url, namespace=namespace, ttl=TTL) as client, visiting(client) as visitor:
            assert DEAD in visitor.get("/workers").text.partition('id="session-bob"')[2].partition("</tr>")[0]
        made.close()


def test_config_shows_what_is_in_force_and_who_changed_it(reader: Visitor, scene: Scene, client: Client) -> None:
    client.limits.change([], settings={"granularity": "run", "max_runtime": "3600"})
    html = reader.get("/config").text
    assert row(html, "or the whole run").startswith("granularity run")
    assert "max_runtime 3600" in plain(html)
    first = client.audit(1)[0]
    assert first.what in plain(html)
    assert "pause pool:gpu 4 0" in plain(html)
    assert str(client.namespace().config) in plain(html)
    assert "a run holds it from start to end" in reader.text("/limit?name=pool:database")


def test_health_is_what_doctor_says_and_nobody_waits_for_it(reader: Visitor, empty: Scene, client: Client) -> None:
    assert "is being examined" in reader.text("/config")
    deadline = 100
    while "is being examined" in (text := reader.text("/config")) and deadline:
        deadline -= 1
    for finding in client.examine():
        assert finding.detail in text


def test_a_server_that_is_away_is_said_so_and_comes_back(namespace: str) -> None:
    from semaphores import connect

    with start_server(appendonly=True) as own:
        made = Scene(own, namespace)
        with connect(own.url, namespace=namespace, ttl=TTL) as client, visiting(client, PageSettings()) as visitor:
            visitor.get("/")
            made.close()
            own.stop()
            answer = visitor.http.get("/runs", timeout=60)
            assert answer.status_code == 503
            assert "The server is away" in answer.text
            assert "Traceback" not in answer.text
            own.start()
            visitor.get("/runs")
