"""Plugin: the fixtures that pytest finds by itself where this library is installed; `-p no:semaphores` turns them off.

    def test_two_at_once(semaphores_client):
        semaphores_client.limits.set("pool:database", 2)
        refresh()  # decorated with @pool("database")

Nothing of the library is imported, and no server started, before a test asks for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

try:
    import pytest
except ImportError as missing:
    raise ImportError(
        "semaphores.testing.plugin makes fixtures for pytest, which is not installed: pip install pytest;"
        " without it, use semaphores.testing.throwaway_server and fresh_client"
    ) from missing

if TYPE_CHECKING:
    from semaphores.client import Client
    from semaphores.testing.server import ThrowawayServer

__all__ = ["semaphores_client", "semaphores_server"]


@pytest.fixture(scope="session")
def semaphores_server() -> Iterator[ThrowawayServer]:
    """A real server for this run of pytest, on a Unix socket in a temporary folder; nothing of it is left."""
    from semaphores.testing.server import throwaway_server

    with throwaway_server() as server:
        yield server


@pytest.fixture
def semaphores_client(semaphores_server: ThrowawayServer) -> Iterator[Client]:
    """A client of a namespace that no other test uses; `pool` and `acquire` without a client use it too."""
    from semaphores.testing.server import fresh_client

    with fresh_client(semaphores_server.url) as client:
        yield client
