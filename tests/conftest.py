"""Fixtures that every test may use: a real server, a fresh namespace on it, and a plain client."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis

from tests.servers import Server, start_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One real server for the whole run. A test that stops or breaks it uses `start_server` instead."""
    with start_server() as running:
        yield running


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    """A plain client of the server; replies are text."""
    with server.client() as client:
        yield client
