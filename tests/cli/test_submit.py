"""What `run submit` promises: queued with what the job says and the options change; waited for if asked to."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import msgpack
import pytest

from semaphores import Client
from tests.cli.commandline import CommandLine, first_line
from tests.cli.crew import ByHand


@pytest.fixture
def ttl() -> float:
    """Long enough for a worker for which nobody beats."""
    return 60.0


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
