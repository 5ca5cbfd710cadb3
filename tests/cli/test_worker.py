"""What `worker` and `run execute` promise: runs are taken and told of, and however they end nothing stays behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from semaphores import Client
from tests.cli.commandline import CommandLine, first_line

MODULE = """
import asyncio, logging, os, time
from workers import job, multiprocess, op

@op
async def extract(day: int = 1):
    logging.getLogger("shop").info("day %d", day)
    return day

@op
async def transform(extract):
    return extract + 1

@job(ops=[extract, transform], tags={"team": "growth"})
def etl(): ...

@op
async def nap(until: str = "/never"):
    while not os.path.exists(until):
        await asyncio.sleep(0.02)

@job(ops=[nap], max_attempts=5)
def napping(): ...

@op
def block():
    time.sleep(60)

@job(ops=[block], max_attempts=5)
def in_a_thread(): ...

@job(ops=[block], max_attempts=5, executor=multiprocess())
def in_a_child(): ...

@op
def boom():
    raise ValueError("no more\\ndisk")

@job(ops=[boom])
def bad(): ...
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    """A file with jobs."""
    path = tmp_path / "shop.py"
    path.write_text(MODULE)
    return str(path)


@contextmanager
def working(cli: CommandLine, module: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a worker until the block ends; it is ready."""
    process = cli.start("worker", module, *words)
    try:
        line = first_line(process)
        assert line.startswith("ready: 5 jobs of shop (etl, "), (line, process.poll() and process.communicate()[1])
        yield process
    finally:
        process.kill()
        process.communicate()


def until(client: Client, run: str, *statuses: str) -> None:
    """Wait until a run has one of these statuses."""
    patience = threading.Event()
    for _ in range(400):
        if client.runs.get(run).run.status in statuses:
            return
        patience.wait(0.05)
    raise AssertionError(f"run {run} is {client.runs.get(run).run.status} after 20 s")


def test_a_worker_takes_runs_and_says_so_in_a_line_each(cli: CommandLine, client: Client, module: str) -> None:
    with working(cli, module, "--queue", "default", "--queue", "slow", "--concurrency", "load:1,2,3") as process:
        for words, code in (
            (("etl", "--id", "good", "--args", '{"day": 3}'), 0),
            (("etl", "--id", "slow", "--queue", "slow"), 0),
            (("bad", "--id", "bad"), 1),
        ):
            assert cli.run("run", "submit", *words, "--wait").code == code, words
        assert "day 3" in cli.ok("run", "logs", "good").out
        assert '{"extract": 3, "transform": 4}' in cli.ok("run", "show", "good").out
        assert "ValueError: no more disk" in cli.ok("run", "show", "bad").out
        assert "extract" in cli.ok("job", "show", "etl").out
        assert "default, slow" in cli.ok("workers").out
        process.terminate()
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
    told = [line for line in err.splitlines() if " INFO workers: " in line]
    assert [line.partition("INFO workers: ")[2] for line in told] == [
        "run good: SUCCESS", "run slow: SUCCESS", "run bad: FAILURE", "draining: nothing is in progress",
    ]  # fmt: skip
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+: ", line) for line in err.splitlines()), err


def test_told_to_end_it_drains(cli: CommandLine, client: Client, module: str, tmp_path: Path) -> None:
    with working(cli, module, "--concurrency", "1") as process:
        cli.ok("run", "submit", "napping", "--id", "now", "--args", json.dumps({"until": str(tmp_path / "go")}))
        until(client, "now", "STARTED")
        cli.ok("run", "submit", "etl", "--id", "later")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.readline()
        assert "draining: waits for now; the next signal gives them back" in told
        (tmp_path / "go").touch()
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert [client.runs.get(run).run.status for run in ("now", "later")] == ["SUCCESS", "QUEUED"]
    assert "no worker is alive for queue 'default'" in cli.ok("run", "show", "later").out


@pytest.mark.parametrize("job", ["napping", "in_a_child", "in_a_thread"])
def test_told_twice_it_gives_its_runs_back_and_is_out_within_2_s(
    cli: CommandLine, client: Client, module: str, job: str
) -> None:
    with working(cli, module) as process:
        cli.ok("run", "submit", job, "--id", "r1")
        until(client, "r1", "STARTED")
        process.terminate()
        time.sleep(0.3)  # two signals of a kind that come at once are one
        told = time.monotonic()
        process.terminate()
        process.wait(20)
        took = time.monotonic() - told
        until(client, "r1", "QUEUED")
        assert client.runs.get("r1").run.attempt == 1
        assert client.limits.list() == ()
        assert process.returncode == 128 + signal.SIGTERM
        assert took < 2.5, f"{took:.1f} s on a machine with others"


def test_a_drain_that_takes_too_long_gives_them_back(cli: CommandLine, client: Client, module: str) -> None:
    with working(cli, module, "--drain-timeout", "0.3") as process:
        cli.ok("run", "submit", "napping", "--id", "r1")
        until(client, "r1", "STARTED")
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "not drained after 0.3 s: r1 back to their queues" in err
    assert client.runs.get("r1").run.status == "QUEUED"


def test_a_run_is_canceled_where_it_is_worked_on(cli: CommandLine, client: Client, module: str) -> None:
    with working(cli, module):
        cli.ok("run", "submit", "napping", "--id", "r1")
        until(client, "r1", "STARTED")
        assert "is told to end" in cli.ok("run", "cancel", "r1").out
        until(client, "r1", "CANCELED")
        assert cli.ok("run", "retry", "r1").out == "run r1 is queued again\n"
        until(client, "r1", "STARTED")


def test_what_cannot_be_meant_is_one_line_and_exit_code_2(cli: CommandLine, module: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise ZeroDivisionError('oops\\nagain')\n")
    for words, said in (
        (("no_such_module",), "there is no module 'no_such_module'"),
        ((str(tmp_path / "sho.py"),), "did you mean 'shop.py'?"),
        ((str(broken),), f"cannot be imported: ZeroDivisionError: oops again, in {broken}:1"),
        ((module, "--concurrency", "0"), "--concurrency cannot be '0'"),
        ((module, "--concurrency", "load:1,2"), "write load:LOW,NORMAL,HIGH"),
        ((module, "--queue", "a b"), "queue 'a b' cannot be used"),
        ((module, "--keep", "-1"), "--keep cannot be -1"),
        ((module, "--drain-timeout", "-1"), "--drain-timeout cannot be -1"),
    ):
        assert said in cli.fails(2, "worker", *words), words
    assert "127.0.0.1" in cli.fails(1, "worker", module, "--url", "redis://127.0.0.1:1")


def test_execute_runs_a_job_here_and_leaves_no_queue_behind(
    cli: CommandLine, client: Client, module: str, raw: object, namespace: str
) -> None:
    done = cli.run("run", "execute", "etl", module, "--args", '{"day": 3}', "--tag", "day=mon")
    assert done.code == 0, done.err
    assert re.search(r"^run (\w+) of etl: SUCCESS after \d+\.\d s$", done.out, re.MULTILINE), done.out
    (run,) = client.runs.list()
    assert run.tags == {"team": "growth", "day": "mon"}
    assert run.queue.startswith("execute-")
    left = [key for key in raw.keys(f"sem:{{{namespace}}}:*") if run.queue in key]  # type: ignore[attr-defined]
    assert left == []
    again = cli.run("run", "execute", "bad", module)
    assert again.code == 1
    assert re.fullmatch(
        r"error: run \w+ of bad: FAILURE after \d+\.\d s: op 'boom' failed: ValueError: no more disk",
        again.err.splitlines()[-1],
    )


def test_execute_observes_limits_and_says_what_it_waits_for(cli: CommandLine, client: Client, module: str) -> None:
    client.limits.set("tag:team", 0)
    process = cli.start("run", "execute", "etl", module)
    try:
        assert process.stderr is not None
        assert "QUEUED: tag:team is paused or set to 0 (0 still held)" in process.stderr.readline()
        client.limits.set("tag:team", 1)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "SUCCESS" in out
    finally:
        process.kill()
        process.communicate()


def test_execute_told_to_end_cancels_its_run(cli: CommandLine, client: Client, module: str) -> None:
    process = cli.start("run", "execute", "napping", module)
    try:
        patience = threading.Event()
        while not client.runs.list("STARTED"):
            patience.wait(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "CANCELED" in err.splitlines()[-1]
        assert [run.status for run in client.runs.list()] == ["CANCELED"]
    finally:
        process.kill()
        process.communicate()


def test_execute_tells_mistakes_before_anything_is_queued(
    cli: CommandLine, client: Client, module: str, tmp_path: Path
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("execution:\n  config:\n    max_concurent: 3\n")
    for words, said in (
        (("etll", module), "did you mean 'etl'?"),
        (("etl",), "no worker ever told of job 'etl'; name the module behind it"),
        (("etl", module, "--args", '{"dya": 1}'), "did you mean 'day'?"),
        (("etl", module, "--config", str(config)), f"{config}:3: unknown key"),
    ):
        assert said in cli.fails(2, "run", "execute", *words), words
    assert client.runs.list() == ()


def test_other_packages_add_words_and_replace_none(cli: CommandLine, tmp_path: Path) -> None:
    about = tmp_path / "other-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[semaphores.nouns]\ngreet - Say hello. = other\nrun greet - Say hello. = other\nstatus - Not this. = other\n"
    )
    (tmp_path / "other.py").write_text(
        "from semaphores.cli.tree import Verb, single\n"
        "app = single()\n"
        "@app.command('greet', cls=Verb)\n"
        "def greet() -> None:\n"
        "    print('hello')\n"
    )
    env = {"PYTHONPATH": str(tmp_path)}
    assert cli.ok("greet", env=env).out == cli.ok("run", "greet", env=env).out == "hello\n"
    text = cli.ok("--help", env=env).out
    assert re.search(r"^  greet +Say hello\.$", text, re.MULTILINE), text
    assert re.search(r"^  worker +Take runs", text, re.MULTILINE), text
    assert "Not this" not in text
    assert "execute" in cli.ok("run", "--help").out
    assert "did you mean 'greet'?" in cli.fails(2, "gret", env=env)
    assert "did you mean 'execute'?" in cli.fails(2, "run", "exekute")
