"""Fixtures of the command line: one namespace on the real server, made by `init`, so that nothing waits for a grace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from semaphores import Client, connect
from semaphores.cli.target import begin_namespace
from tests.cli.commandline import CommandLine
from tests.servers import Server


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    """A client of the namespace that the command line works on: for arranging, and for looking."""
    with connect(server.url, namespace=namespace, ttl=5, init=True) as connected:
        begin_namespace(connected)
        yield connected


@pytest.fixture
def cli(server: Server, namespace: str, client: Client) -> CommandLine:
    """The command line on a fresh namespace."""
    return CommandLine({"SEMAPHORES_URL": server.url, "SEMAPHORES_NAMESPACE": namespace})
