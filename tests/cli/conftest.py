"""Fixtures of the command line: one namespace on the real server, made by `init`, so that nothing waits for a grace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from semaphores import Client, connect
from semaphores.cli.target import begin_namespace
from tests.cli.commandline import CommandLine
from tests.cli.crew import ByHand
from tests.lua.harness import Calls
from tests.servers import Server


@pytest.fixture
def ttl() -> float:
    """The ttl of the namespace, seconds. Modules whose worker is by hand have a longer one: nobody beats for it."""
    return 5.0


@pytest.fixture
def client(server: Server, namespace: str, ttl: float) -> Iterator[Client]:
    """A client of the namespace that the command line works on: for arranging, and for looking."""
    with connect(server.url, namespace=namespace, ttl=ttl, init=True) as connected:
        begin_namespace(connected)
        yield connected


@pytest.fixture
def worker(server: Server, namespace: str, client: Client, ttl: float) -> Iterator[ByHand]:
    """A worker by hand that has the job `etl`."""
    calls = Calls(server, namespace, ttl=ttl)
    try:
        found = ByHand(calls)
        found.enroll("etl")
        yield found
    finally:
        calls.close()


@pytest.fixture
def cli(server: Server, namespace: str, client: Client) -> CommandLine:
    """The command line on a fresh namespace."""
    return CommandLine({"SEMAPHORES_URL": server.url, "SEMAPHORES_NAMESPACE": namespace})
