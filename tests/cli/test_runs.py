"""What `run` promises: queued with what the job says and the options change, shown, changed, followed to the end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from semaphores import Client, connect
from semaphores.cli.target import begin_namespace
from semaphores.runs import RunSpec
from tests.cli.commandline import CommandLine, first_line, keys, rows
from tests.cli.crew import ByHand
from tests.lua.harness import Calls
from tests.servers import Server

RUN_FIELDS = {
    *("id", "job", "status", "queue", "location", "tags", "priority", "attempt", "max_attempts", "submitted"),
    *("granted", "started", "ended", "worker", "lease", "token", "reason", "by", "needs", "pools", "after"),
}
DETAIL_FIELDS = {"run", "ops", "place", "limits", "served", "workers", "before", "results"}
TTL = 60.0  # seconds; nobody beats for a worker by hand


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    """A client of a namespace in which a worker by hand outlives its test."""
    with connect(server.url, namespace=namespace, ttl=TTL, init=True) as connected:
        begin_namespace(connected)
        yield connected


@pytest.fixture
def worker(server: Server, namespace: str, client: Client) -> Iterator[ByHand]:
    """A worker that has the job `etl`."""
    calls = Calls(server, namespace, ttl=TTL)
    try:
        found = ByHand(calls)
        found.enroll("etl")
        yield found
    finally:
        calls.close()


def until(client: Client, run: str, status: str) -> None:
    """Wait until a run has a status."""
    patience = threading.Event()
    for _ in range(400):
        if client.runs.get(run).run.status == status:
            return
        patience.wait(0.05)
    raise AssertionError(f"run {run} is not {status} after 20 s")


def test_submit_prints_the_id_and_takes_over_what_the_job_says(
    cli: CommandLine, client: Client, worker: ByHand
) -> None:
    run = cli.ok("run", "submit", "etl").out.strip()
    found = client.runs.get(run).run
    assert (found.status, found.job, found.queue, found.location) == ("QUEUED", "etl", "default", "growth")
    assert (found.priority, found.max_attempts, found.tags) == (2, 3, {"team": "growth"})


def test_options_go_over_what_the_job_says_and_tags_are_merged(
    cli: CommandLine, client: Client, worker: ByHand, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("execution:\n  config: {max_concurrent: 2}\n")
    cli.ok(
        *("run", "submit", "etl", "--id", "mine", "--priority", "-7", "--queue", "slow", "--tag", "team=data"),
        *("--tag", "day=mon", "--args", '{"day": 1}', "--config", str(config), "--max-runtime", "30"),
    )
    found = client.runs.get("mine").run
    assert (found.queue, found.priority) == ("slow", -7)
    assert found.tags == {"team": "data", "day": "mon"}
    stored = worker.calls.connection.hmget(worker.calls.key("run:mine"), "max_runtime", "config", "args")
    assert stored == [b"30", b'{"execution": {"config": {"max_concurrent": 2}}}', msgpack.packb({"day": 1})]


def test_arguments_come_from_a_file_too(cli: CommandLine, worker: ByHand, tmp_path: Path) -> None:
    (tmp_path / "args.json").write_text('{"day": 1,\n "bad": }')
    error = cli.fails(2, "run", "submit", "etl", "--args", f"@{tmp_path}/args.json")
    assert error.startswith(f"{tmp_path}/args.json:2: not valid JSON")
    (tmp_path / "args.json").write_text('{"day": 1}')
    cli.ok("run", "submit", "etl", "--args", f"@{tmp_path}/args.json")


def test_the_same_id_is_queued_once(cli: CommandLine, client: Client, worker: ByHand) -> None:
    for _ in range(2):
        assert cli.ok("run", "submit", "etl", "--id", "mine").out == "mine\n"
    assert [run.id for run in client.runs.list()] == ["mine"]


def test_a_conflict_is_skipped_or_replaces_and_that_is_told(cli: CommandLine, client: Client, worker: ByHand) -> None:
    cli.ok("run", "submit", "etl", "--id", "first")
    skipped = cli.run("run", "submit", "etl", "--id", "second", "--on-conflict", "skip")
    assert (skipped.code, skipped.out) == (0, "first\n")
    assert skipped.err == "skipped: run first is there already\n"
    worker.start("first")
    replacing = cli.run("run", "submit", "etl", "--id", "third", "--on-conflict", "replace", "--conflict-tag", "team")
    assert (replacing.code, replacing.out) == (0, "third\n")
    assert replacing.err == "it replaces first, and starts when that has ended\n"
    assert client.runs.get("first").run.status == "CANCELING"
    assert "it waits for the runs that it replaces to end: first" in cli.ok("run", "show", "third").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--args", "[1]"), "--args must be a JSON object"),
        (("--args", "{day}"), "--args is not valid JSON: Expecting property name enclosed in double quotes, line 1"),
        (("--args", "@/nowhere"), "'/nowhere' cannot be read"),
        (("--config", "/nowhere"), "'/nowhere' cannot be read"),
        (("--tag", "team"), "write --tag KEY=VALUE"),
        (("--tag", "job=other"), "'job' and 'location' are set by the system"),
        (("--priority", "99999"), "priority cannot be 99999"),
        (("--max-runtime", "0"), "max_runtime cannot be 0"),
        (("--id", "a b"), "run 'a b' cannot be used"),
        (("--on-conflict", "ignore"), "it must be queue, skip or replace"),
        (("--conflict-tag", "team"), "goes with --on-conflict"),
        (("--on-conflict", "skip", "--conflict-tag", "day"), "tag 'day', which this run does not have"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2(
    cli: CommandLine, client: Client, worker: ByHand, words: tuple[str, ...], said: str
) -> None:
    assert said in cli.fails(2, "run", "submit", "etl", *words)
    assert client.runs.list() == ()


def test_a_run_config_that_is_none_is_told_with_its_line(cli: CommandLine, worker: ByHand, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    for text, said in (
        ("execution:\n\tconfig: 1\n", ":2: not valid YAML"),
        ("- a\n", ":1: a run config is a mapping"),
        ("execution: {}\nconcurrency: {}\n", ":2: this belongs to the configuration of limits at concurrency"),
        ("a: 1\na: 2\n", ":2: key given twice"),
    ):
        path.write_text(text)
        assert cli.fails(2, "run", "submit", "etl", "--config", str(path)).startswith(f"{path}{said}"), text


def test_a_configuration_stands_before_the_noun(
    cli: CommandLine, client: Client, worker: ByHand, tmp_path: Path
) -> None:
    path = tmp_path / "semaphores.yaml"
    url, namespace = cli.variables["SEMAPHORES_URL"], cli.variables["SEMAPHORES_NAMESPACE"]
    path.write_text(f"redis: {{url: '{url}', namespace: {namespace}, ttl: 60}}\n")
    bare = CommandLine({"XDG_STATE_HOME": str(tmp_path / "nothing-starts-here")})
    for words in (("--config", str(path), "run", "submit"), ("run", "--config", str(path), "submit")):
        bare.ok(*words, "etl")
    assert len(client.runs.list()) == 2


def test_an_unknown_job_is_answered_with_the_nearest_one_and_how_to_tell_of_it(
    cli: CommandLine, worker: ByHand
) -> None:
    assert cli.fails(1, "run", "submit", "etll") == (
        "no worker ever told of job 'etll'; did you mean 'etl'?; start 'semaphores worker MODULE' first"
    )


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
    assert keys(found["ops"][0]) == {"op", "status", "since", "attempt", "limit", "text"}


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


def test_waiting_tells_what_it_is_at_and_ends_as_the_run_does(cli: CommandLine, client: Client, worker: ByHand) -> None:
    for run, status, code, last in (
        ("good", "SUCCESS", 0, r"run good of etl: SUCCESS after \d+\.\d s"),
        ("bad", "FAILURE", 1, r"error: run bad of etl: FAILURE after \d+\.\d s: no more disk"),
    ):
        process = cli.start("run", "submit", "etl", "--id", run, "--wait")
        assert first_line(process) == run
        worker.start(run)
        worker.tell(run, {"extract": "STARTED since=1 attempt=1"})
        patience = threading.Event()
        patience.wait(0.6)  # two looks at it
        worker.finish(run, status, reason="no more disk" if code else None)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (code, "")
        assert "  STARTED by somewhere:77:seat-1\n" in err
        assert "  extract STARTED\n" in err
        assert re.fullmatch(last, err.splitlines()[-1]), err


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
