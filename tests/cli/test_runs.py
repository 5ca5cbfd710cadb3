"""What `run` promises: runs are listed, shown, changed, and their logs followed to the end."""

from __future__ import annotations

import re

import msgpack
import pytest

from semaphores import Client
from semaphores.runs import RunSpec
from tests.cli.commandline import CommandLine, first_line, keys, rows
from tests.cli.crew import ByHand

RUN_FIELDS = {
    *("id", "job", "status", "queue", "location", "tags", "priority", "attempt", "max_attempts", "submitted"),
    *("granted", "started", "ended", "worker", "lease", "token", "reason", "by", "needs", "pools", "after"),
}
DETAIL_FIELDS = {"run", "ops", "place", "limits", "served", "workers", "before", "results"}


@pytest.fixture
def ttl() -> float:
    """Long enough for a worker for which nobody beats."""
    return 60.0


def test_runs_are_listed_newest_first_by_status_job_and_tag(cli: CommandLine, client: Client, worker: ByHand) -> None:
    worker.enroll("report")
    for run, job, day in (("r1", "etl", "mon"), ("r2", "report", "mon"), ("r3", "etl", "tue")):
        client.runs.submit(RunSpec(job, tags={"day": day}), run=run)
    worker.start("r1")
    listed = rows(cli.ok("run", "list", "--json").json)
    assert all(keys(row) == RUN_FIELDS for row in listed)
    assert [row["id"] for row in listed] == ["r3", "r2", "r1"]
    for words, ids in (
        (("--status", "queued"), ["r3", "r2"]),
        (("--status", "STARTED"), ["r1"]),
        (("--job", "etl"), ["r3", "r1"]),
        (("--tag", "day=mon"), ["r2", "r1"]),
        (("--limit", "1"), ["r3"]),
        (("--job", "nothing"), []),
    ):
        assert [row["id"] for row in rows(cli.ok("run", "list", "--json", *words).json)] == ids, words
    text = cli.ok("run", "list").out
    assert re.search(r"r1 +etl +STARTED +default +1/3 .* somewhere:77:seat-1 +day=mon", text), text
    assert cli.ok("run", "list", "--job", "nothing").out == "no such runs\n"
    assert "did you mean QUEUED?" in cli.fails(2, "run", "list", "--status", "queud")


def test_an_empty_list_says_how_to_begin(cli: CommandLine) -> None:
    assert "run submit JOB" in cli.ok("run", "list").out


def test_show_tells_all_of_a_run_and_its_ops(cli: CommandLine, client: Client, worker: ByHand) -> None:
    client.runs.submit(RunSpec("etl", tags={"team": "growth"}), run="r1")
    worker.start("r1")
    worker.tell("r1", {"extract": "WAITING since=1700000000000 attempt=2 limit=pool:my%20db"})
    text = cli.ok("run", "show", "r1").out
    assert re.search(r"^status +STARTED$", text, re.MULTILINE), text
    assert re.search(r"^tags +team=growth$", text, re.MULTILINE), text
    assert re.search(r"^extract +WAITING +2023-11-1\d .* 2 +pool:my db$", text, re.MULTILINE), text
    worker.finish("r1", "FAILURE", reason="op 'extract': \x1b[31mno", results=msgpack.packb({"a": b"\x00", "b": 1}))
    text = cli.ok("run", "show", "r1").out
    assert "FAILURE: op 'extract': \\x1b[31mno" in text
    found = cli.ok("run", "show", "r1", "--json").json
    assert keys(found) == DETAIL_FIELDS
    assert isinstance(found, dict)
    assert found["results"] == {"a": "AA==", "b": 1}
    assert keys(found["run"]) == RUN_FIELDS
    assert keys(found["ops"][0]) == {"op", "status", "since", "attempt", "limit", "text", "order"}


def test_show_says_what_a_queued_run_waits_for(cli: CommandLine, client: Client, worker: ByHand) -> None:
    def blocked(run: str) -> str:
        found = re.search(r"^blocked +(.*)$", cli.ok("run", "show", run).out, re.MULTILINE)
        assert found
        return found[1]

    client.limits.set("tag:team", 1)
    for run, spec in (
        ("r1", RunSpec("etl", tags={"team": "a"})),
        ("r2", RunSpec("etl", tags={"team": "b"})),
        ("idle", RunSpec("etl")),
        ("elsewhere", RunSpec("etl", queue="gpu")),
        ("unknown", RunSpec("report")),
    ):
        client.runs.submit(spec, run=run)
    assert blocked("idle") == "it waits for a free seat of the worker of queue 'default'; 2 are before it"
    worker.start("r1")
    assert blocked("r2") == "tag:team is full (1 of 1 held, oldest by somewhere:77:seat-1)"
    assert blocked("elsewhere") == "no worker is alive for queue 'gpu'; 'semaphores worker MODULE' starts one"
    assert blocked("unknown") == "job 'report' is not in the code of the worker of queue 'default'"
    client.limits.pause("tag:team")
    assert blocked("r2") == "tag:team is paused or set to 0 (1 still held)"


def test_runs_are_canceled_retried_and_given_another_place(cli: CommandLine, client: Client, worker: ByHand) -> None:
    for run in ("r1", "r2", "r3"):
        client.runs.submit(RunSpec("etl"), run=run)
    assert cli.ok("run", "set-priority", "r3", "-5").out == "run r3: priority -5 (was 0)\n"
    assert "priority cannot be 5000" in cli.fails(2, "run", "set-priority", "r3", "5000")
    worker.start("r1")
    done = cli.run("run", "cancel", "r1", "nobody", "r2")
    assert done.code == 1
    assert done.out == "run r1 is told to end: canceling\nrun r2 is canceled\n"
    assert done.err == "error: there is no run 'nobody'\n"
    assert "only a queued run" in cli.fails(1, "run", "set-priority", "r2", "1")
    assert "can be retried" in cli.fails(1, "run", "retry", "r3")
    worker.finish("r1", "CANCELED")
    assert "is over: CANCELED" in cli.fails(1, "run", "cancel", "r1")
    assert cli.ok("run", "retry", "r1").out == "run r1 is queued again\n"
    assert client.runs.get("r1").run.status == "QUEUED"


def test_an_unknown_run_is_one_line_and_exit_code_1(cli: CommandLine) -> None:
    for words in (("show",), ("cancel",), ("retry",), ("logs",), ("logs", "--follow")):
        for name in ("nobody", "no body"):
            assert cli.fails(1, "run", *words, name) == f"there is no run {name!r}", words
    assert cli.fails(1, "run", "set-priority", "nobody", "1") == "there is no run 'nobody'"


def test_logs_are_told_and_followed_to_the_end(cli: CommandLine, client: Client, worker: ByHand) -> None:
    client.runs.submit(RunSpec("etl"), run="r1")
    worker.start("r1")
    worker.tell("r1", {}, ("op", "extract", "kind", "INFO", "text", "hello \x1b[31m"))
    assert re.fullmatch(r"20\S+ \S+  extract +INFO +hello \\x1b\[31m\n", cli.ok("run", "logs", "r1").out)
    (row,) = rows(cli.ok("run", "logs", "r1", "--json").json)
    assert keys(row) == {"id", "at", "op", "kind", "text"}
    process = cli.start("run", "logs", "r1", "--follow")
    try:
        assert "hello" in first_line(process)
        worker.tell("r1", {}, ("op", "extract", "kind", "OUTPUT", "text", "more"))
        assert "more" in first_line(process)
        worker.tell("r1", {}, ("op", "extract", "kind", "OUTPUT", "text", "last"))
        worker.finish("r1")
        out, err = process.communicate(timeout=20)
        assert out.endswith("last\n")
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_status_counts_runs_by_status(cli: CommandLine, client: Client, worker: ByHand) -> None:
    assert "runs:" not in cli.ok("status").out
    for run in ("r1", "r2", "r3"):
        client.runs.submit(RunSpec("etl"), run=run)
    worker.start("r1")
    assert cli.ok("status").out.splitlines()[1] == "runs: 2 QUEUED, 1 STARTED"
    found = cli.ok("status", "--json").json
    assert isinstance(found, dict)
    assert found["runs"] == {
        "QUEUED": 2, "STARTING": 0, "STARTED": 1, "CANCELING": 0, "SUCCESS": 0, "FAILURE": 0, "CANCELED": 0,
    }  # fmt: skip
