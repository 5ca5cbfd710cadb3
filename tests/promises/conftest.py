"""Fixtures for promises of the read side: a namespace called by hand, and the reads of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lua.harness import Calls
from tests.promises.reading import Reading
from tests.promises.town import Town
from tests.servers import Server


@pytest.fixture
def calls(server: Server, namespace: str) -> Iterator[Calls]:
    calls = Calls(server, namespace)
    yield calls
    calls.close()


@pytest.fixture
def read(calls: Calls) -> Reading:
    return Reading(calls)


@pytest.fixture
def town(calls: Calls) -> Iterator[Town]:
    town = Town(calls)
    yield town
    town.close()
