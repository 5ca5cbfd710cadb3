"""Exporter: one client's metrics as a collector, as the text of a page, and behind a small server of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from semaphores.client import Client
from semaphores.errors import SemaphoresError
from semaphores.metrics.counters import Counters
from semaphores.metrics.families import health, of_namespace, of_process
from semaphores.metrics.reading import MOST, Snapshot, read

__all__ = ["Exporter", "Page"]

FRESH = 1.0  # seconds: whoever scrapes more often, or beside another, is told what was just read


class Page(NamedTuple):
    """What a scraper gets."""

    body: bytes
    content_type: str


class Exporter(Collector):
    """The metrics of a client's namespace and of this process. Register it, serve it, or ask it for its text.

    `most`: limits and queues shown, each with a label of its own; `namespace=False` leaves what is asked of the server
    to another process, so that many of them do not ask the same.
    """

    def __init__(self, client: Client, *, namespace: bool = True, most: int = MOST) -> None:
        self.counters = Counters()
        self._client = client
        self._namespace = namespace
        self._most = most
        self._lock = Lock()
        self._read: tuple[float, Snapshot | None, float] | None = None  # when, what, how long it took
        self._registry: CollectorRegistry | None = None
        client.connections.session.observers.append(self.counters.observe)

    def __repr__(self) -> str:
        return f"<Exporter of {self._client!r}>"

    def describe(self) -> Iterator[Family]:
        """Return nothing: a registry need not ask the server when it is told of this."""
        return iter(())

    def collect(self) -> Iterator[Family]:
        """Return all families. A server that is away is `semaphores_up 0`, and what was counted here."""
        name = self._client.connections.namespace
        if self._namespace:
            snapshot, took = self._snapshot()
            yield from health(name, snapshot is not None, took)
            if snapshot is not None:
                yield from of_namespace(name, snapshot)
        yield from of_process(name, self.counters.counts())

    def text(self, accept: str = "") -> Page:
        """Return the page for a scraper that sends this header `Accept`; it has this process's memory too."""
        encode, content_type = choose_encoder(accept)
        return Page(encode(self._own_registry()), content_type)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Answer scrapers from a thread of its own until the process ends; returns where. Raises OSError."""
        server, _ = start_http_server(port, host, self._own_registry())
        address, number = server.server_address[:2]
        return str(address), int(number)

    def _own_registry(self) -> CollectorRegistry:
        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        return self._registry

    def _snapshot(self) -> tuple[Snapshot | None, float]:
        with self._lock:
            if self._read is None or time.monotonic() - self._read[0] > FRESH:
                begun, found = time.monotonic(), None
                with suppress(SemaphoresError):  # which is what `semaphores_up 0` says
                    found = read(self._client, self._most)
                ended = time.monotonic()
                self._read = ended, found, ended - begun
            return self._read[1:]
