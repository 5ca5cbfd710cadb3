"""Fixtures of the script tests: a namespace with a session that listens to nothing, and one limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lua.harness import Calls, Session
from tests.servers import Server, start_server


@pytest.fixture
def calls(server: Server, namespace: str) -> Iterator[Calls]:
    """A fresh namespace without anything in it."""
    found = Calls(server, namespace)
    yield found
    found.close()


@pytest.fixture
def alice(calls: Calls) -> Session:
    """A session; pool:db has one slot."""
    session = calls.session("alice")
    calls.limit(session, db=1)
    return session


@pytest.fixture
def bob(calls: Calls, alice: Session) -> Session:
    """Another session of the same namespace."""
    return calls.session("bob")


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may fill, flush or configure."""
    with start_server() as running:
        yield running
