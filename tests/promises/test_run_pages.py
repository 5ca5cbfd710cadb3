"""Runs by the page: none twice, none missing, and a bounded look where few match."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from semaphores import Client, connect
from semaphores.errors import UsageError
from semaphores.runs import RunSpec
from semaphores.runs.pages import MOST_LOOKED
from semaphores.scripts.run_commands import Submit
from tests.lua.harness import Calls
from tests.servers import Server


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with connect(server.url, namespace=namespace, init=True) as connected:
        connected.limits.set("runs", 0)
        yield connected


def everything(client: Client, count: int, **wanted: object) -> tuple[list[str], int]:
    """All runs, page by page; and how many pages it took."""
    found: list[str] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        page = client.runs.page(after=after, count=count, **wanted)  # type: ignore[arg-type]
        assert len(page.runs) <= count
        found += [run.id for run in page.runs]
        after, pages = page.following, pages + 1
    return found, pages


def test_pages_of_several_statuses_have_each_run_once_the_newest_first(client: Client) -> None:
    names = [client.runs.submit(RunSpec("etl", tags={"team": "ab"[n % 2]})).run for n in range(25)]
    for name in names[::5]:
        client.runs.cancel(name)
    found, pages = everything(client, 4)
    assert sorted(found) == sorted(names)
    assert pages == 7
    times = [run.ended or run.submitted for run in client.runs.page(count=100).runs]
    assert times == sorted(times, reverse=True)  # type: ignore[type-var]
    found, _ = everything(client, 3, tag=("team", "a"), statuses=("QUEUED",))
    assert sorted(found) == sorted(name for n, name in enumerate(names) if n % 2 == 0 and n % 5)
    assert everything(client, 3, job="nobody") == ([], 1)


def test_a_page_of_which_few_match_ends_after_a_bounded_look(client: Client, server: Server, namespace: str) -> None:
    calls = Calls(server, namespace)
    session = calls.session("submitter")
    rare = Submit("rare", "rare", "default", "x", "runs=1 tag:job=1 tag:job=rare=1", 1, "me")
    session.send(rare)
    for n in range(0, MOST_LOOKED + 500, 250):
        session.send(
            *(Submit(f"r{n + k}", "etl", "default", "x", "runs=1 tag:job=1 tag:job=etl=1", 1, "me") for k in range(250))
        )
    calls.close()
    first = client.runs.page(job="rare")
    assert (first.runs, first.looked) == ((), MOST_LOOKED)
    assert first.following is not None
    second = client.runs.page(job="rare", after=first.following)
    assert [run.id for run in second.runs] == ["rare"]
    assert second.following is None


def test_a_cursor_of_nobodys_is_refused(client: Client) -> None:
    for cursor in ("", "x", "QUEUED:-1", "QUEUED:1,", "QUEUED:99999999999"):
        with pytest.raises(UsageError):
            client.runs.page(after=cursor)
    assert client.runs.page(after="NOTHING:3").runs == ()
