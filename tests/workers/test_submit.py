"""Submit: what a run of a job is queued with, seen on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from semaphores import Client, UsageError, connect
from semaphores.runs import JobView
from tests.servers import Server
from workers import job, op, submit, submit_async


@op(pool="database")
def extract(day: str) -> None: ...


@job(ops=[extract], tags={"team": "growth"}, priority=3, max_runtime=60)
def etl() -> None: ...


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with connect(server.url, namespace=namespace, init=True) as found:
        yield found


def test_a_run_has_what_its_job_says_and_what_is_given_goes_over_it(client: Client) -> None:
    run = client.runs.get(submit(etl, {"day": "monday"}, tags={"env": "test"}, priority=9, client=client).run).run
    assert (run.status, run.priority, run.tags) == ("QUEUED", 9, {"team": "growth", "env": "test"})
    assert run.pools == "pool:database=1"
    assert "tag:location=tests.workers.test_submit=1" in run.needs


def test_a_run_that_could_not_work_is_refused_before_it_is_queued(client: Client) -> None:
    with pytest.raises(UsageError, match="'day'"):
        submit(etl, client=client)
    with pytest.raises(UsageError, match=r"execution\.config"):
        submit(etl, {"day": "x"}, config={"tag_concurrency_limits": []}, client=client)
    assert sum(client.runs.counts().values()) == 0


def test_an_id_of_yours_is_queued_once(client: Client) -> None:
    first = submit(etl, {"day": "monday"}, run="monday", client=client)
    assert submit(etl, {"day": "monday"}, run="monday", client=client) == first
    assert client.runs.counts()["QUEUED"] == 1


def test_a_job_that_a_worker_told_of_is_asked_for_with_its_arguments() -> None:
    told = JobView("etl", "default", "here", 1, 0, 0, about={"args": {"day": True, "limit": False}})
    told.check_args({"day": "monday"})
    with pytest.raises(UsageError, match="no argument 'dy'; did you mean 'day'"):
        told.check_args({"dy": "monday"})
    with pytest.raises(UsageError, match="needs the argument 'day'"):
        told.check_args({"limit": 1})


def test_a_loop_submits_without_being_blocked(client: Client) -> None:
    done = asyncio.run(submit_async(etl, {"day": "monday"}, run="monday", client=client))
    assert (done.run, done.queued) == ("monday", True)
