"""Fixtures of the page: a scene on the real server, a client of it, and visitors of the real application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from semaphores import Client, connect
from semaphores.ui import PageSettings
from tests.servers import Server
from tests.ui.scene import TTL, Scene
from tests.ui.visitor import Visitor, listening, visiting


@pytest.fixture
def empty(server: Server, namespace: str) -> Iterator[Scene]:
    """A namespace with three sessions and nothing else."""
    made = Scene(server, namespace)
    yield made
    made.close()


@pytest.fixture
def scene(empty: Scene) -> Scene:
    """A namespace in which everything is going on."""
    return empty.play(0.0)


@pytest.fixture
def client(server: Server, namespace: str, empty: Scene) -> Iterator[Client]:
    """A client of the namespace: for looking whether the page tells the truth."""
    with connect(server.url, namespace=namespace, ttl=TTL) as connected:
        yield connected


@pytest.fixture
def visitor(client: Client) -> Iterator[Visitor]:
    """A visitor who may change things."""
    with visiting(client, PageSettings(allow_writes=True)) as found:
        yield found


@pytest.fixture
def reader(client: Client) -> Iterator[Visitor]:
    """A visitor of the page as it is started by default: read-only."""
    with visiting(client) as found:
        yield found


@pytest.fixture
def listener(client: Client) -> Iterator[Visitor]:
    """A visitor of the page on a real socket, who hears news."""
    with listening(client) as found:
        yield found
