"""What `job` and `workers` promise: what workers told, and a warning for each limit or worker that is missing."""

from __future__ import annotations

import re

from semaphores import Client
from semaphores.runs import RunSpec
from tests.cli.commandline import CommandLine, keys, rows
from tests.cli.crew import ByHand

JOB_FIELDS = {
    *("name", "queue", "location", "workers", "queued", "running", "tags", "pools", "priority", "max_attempts"),
    *("max_runtime", "about"),
}
WORKER_FIELDS = {"session", "queues", "concurrency", "runs", "cpu", "memory"}


def warnings(cli: CommandLine) -> list[str]:
    """What `job show` warns of."""
    return re.findall(r"^WARNING: (.*)$", cli.ok("job", "show", "etl").out, re.MULTILINE)


def test_jobs_are_listed_with_their_workers_and_runs(cli: CommandLine, client: Client, worker: ByHand) -> None:
    for run in ("r1", "r2"):
        client.runs.submit(RunSpec("etl"), run=run)
    worker.start("r1")
    (row,) = rows(cli.ok("job", "list", "--json").json)
    assert keys(row) == JOB_FIELDS
    assert (row["name"], row["workers"], row["queued"], row["running"]) == ("etl", 1, 1, 1)
    assert re.search(r"etl +default +growth +1 +1 +1 +2 +team=growth +database", cli.ok("job", "list").out)


def test_show_tells_ops_in_their_order_and_the_executor(cli: CommandLine, worker: ByHand) -> None:
    text = cli.ok("job", "show", "etl").out
    assert re.search(r"^says +Loads the day\.$", text, re.MULTILINE), text
    assert re.search(r"^executor +multiprocess, max_concurrent 3, tag database=\*: 1$", text, re.MULTILINE), text
    assert re.search(r"^args +\[day\], \[dry\]$", text, re.MULTILINE), text
    assert re.search(r"^extract +- +database x 2 +database=postgres +5", text, re.MULTILINE), text
    assert re.search(r"^transform +extract +1$", text, re.MULTILINE), text
    found = cli.ok("job", "show", "etl", "--json").json
    assert keys(found) == {*JOB_FIELDS, "warnings"}


def test_show_warns_of_what_no_limit_matches_until_one_does(cli: CommandLine, client: Client, worker: ByHand) -> None:
    pool, tag = warnings(cli)
    assert pool.startswith("pool 'database' has no limit")
    assert tag.startswith("no limit matches tag team=growth")
    client.limits.set("pool:*", 5)
    client.limits.set("tag:team=*", 5)
    assert warnings(cli) == []
    client.limits.delete("pool:*")
    client.limits.set("pool:database", -1)
    assert warnings(cli) == [], "unlimited on purpose"


def test_show_warns_when_no_worker_is_alive(cli: CommandLine, client: Client, worker: ByHand) -> None:
    client.limits.set("pool:database", 1)
    client.limits.set("tag:team", 1)
    worker.enroll("etl", queue="night")
    client.runs.submit(RunSpec("etl", queue="night"), run="r1")
    assert warnings(cli) == [
        "no worker is alive that has it on queue 'night', and 1 of its runs wait; 'semaphores worker MODULE' starts one"
    ]


def test_an_unknown_job_is_answered_with_the_nearest_one(cli: CommandLine, worker: ByHand) -> None:
    assert cli.fails(1, "job", "show", "etll") == "there is no job 'etll'; did you mean 'etl'?"
    assert cli.fails(1, "job", "show", "no job") == "there is no job 'no job'"


def test_without_jobs_and_workers_it_says_how_to_get_some(cli: CommandLine) -> None:
    for words in (("job", "list"), ("workers",)):
        assert "semaphores worker MODULE" in cli.ok(*words).out
        assert cli.ok(*words, "--json").json == []


def test_workers_are_shown_with_their_load_and_runs(cli: CommandLine, client: Client, worker: ByHand) -> None:
    client.runs.submit(RunSpec("etl"), run="r1")
    worker.start("r1")
    (row,) = rows(cli.ok("workers", "--json").json)
    assert keys(row) == WORKER_FIELDS
    assert (row["queues"], row["concurrency"], row["runs"], row["cpu"], row["memory"]) == (
        ["default"],
        4,
        ["r1"],
        12,
        40,
    )
    assert re.search(r"default +4 +r1 +12 % +40 % +\d\.\d s ago", cli.ok("workers").out)


def test_what_a_worker_tells_cannot_break_the_reads(cli: CommandLine, client: Client, worker: ByHand) -> None:
    worker.enroll("etl", about='{"ops": [7, {"upstream": 1, "pools": {"a": "x"}}], "executor": [], "args": 3}')
    assert "etl" in cli.ok("job", "show", "etl").out
