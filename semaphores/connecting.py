"""Connecting: which server, which namespace, which T: arguments, then the environment, then the embedded server."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from threading import Lock

from semaphores import server
from semaphores.config.settings import Config, RedisSettings
from semaphores.connections import Connections
from semaphores.errors import InvalidNumber
from semaphores.names import key_prefix, plain
from semaphores.session.deadline import suspend_clock
from semaphores.session.session import Settings
from semaphores.transport.url import Endpoint, parse_url

__all__ = ["connections_to", "default_connections", "default_to", "seconds_of"]

TTL = 10.0  # seconds; a crashed holder's slots are back within T + 1 s, and a beat every T/6 costs nothing
SHORTEST_TTL, LONGEST_TTL = 1.0, 60.0
ASYNC_LAG = {"sentinel": 12.0, "cluster": 17.0}  # W in seconds: max-lag 10 + 2, node timeout 15 + 2


def seconds_of(
    what: str, span: float | timedelta | None, *, least: float = 0.0, most: float | None = None
) -> float | None:
    """Return a span in seconds; None stays None. Raises InvalidNumber outside of least...most."""
    if span is None:
        return None
    value = span.total_seconds() if isinstance(span, timedelta) else span
    wanted = f"{least:g} to {most:g} seconds" if most is not None else f"{least:g} seconds or more"
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least or value == float("inf"):
        raise InvalidNumber(what, span, wanted)
    if most is not None and value > most:
        raise InvalidNumber(what, span, wanted)
    return float(value)


def connections_to(
    url: str | None = None, *, namespace: str | None = None, ttl: float | timedelta | None = None, init: bool = False
) -> Connections:
    """Return connections as arguments say, else SEMAPHORES_URL, SEMAPHORES_NAMESPACE and SEMAPHORES_TTL, else the file
    that SEMAPHORES_CONFIG names, else defaults.

    Without any URL it is the embedded server, started if need be. Raises UsageError, ServerUnavailable.
    """
    file = _config()
    written = file.redis if file is not None else RedisSettings()
    url = url or os.environ.get("SEMAPHORES_URL") or written.url
    name = plain("namespace", namespace or os.environ.get("SEMAPHORES_NAMESPACE") or written.namespace or "default")
    given = next((span for span in (ttl, _ttl_from_environment(), written.ttl) if span is not None), None)
    span = seconds_of("ttl", given, least=SHORTEST_TTL, most=LONGEST_TTL)
    calm, clock = False, suspend_clock
    if url is None:
        embedded = server.ensure()
        url, init, calm = embedded.url, init or embedded.created, embedded.clean
        clock = time.monotonic  # it stands still while the machine sleeps, as the embedded server does
    endpoint = parse_url(url)
    limits = {limit: spec.capacity for limit, spec in file.limits.items()} if file is not None else {}
    settings = Settings(key_prefix(name), span or TTL, _w(endpoint), init, calm, lambda: limits, clock)
    return Connections(endpoint, name, settings)


def _config() -> Config | None:
    """The file that SEMAPHORES_CONFIG names: where the server is, and the limits to fall back on after a loss."""
    path = os.environ.get("SEMAPHORES_CONFIG")
    if not path:
        return None
    from semaphores.config.read import read_config  # costs 0.2 s: only who has a file pays

    return read_config(path)


def _ttl_from_environment() -> float | None:
    text = os.environ.get("SEMAPHORES_TTL")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidNumber("SEMAPHORES_TTL", text, f"{SHORTEST_TTL:g} to {LONGEST_TTL:g} seconds") from None


def _w(endpoint: Endpoint) -> float:
    return ASYNC_LAG.get(endpoint.kind, 0.0)


_default: dict[int, Connections] = {}
_default_lock = Lock()


def _forked() -> None:
    global _default_lock  # noqa: PLW0603 (in a child it may be held by a thread that is not there)
    _default_lock = Lock()


os.register_at_fork(after_in_child=_forked)


def default_connections() -> Connections:
    """Return what `pool` and `acquire` use when no client is given: made once a process, from the environment."""
    with _default_lock:
        made = _default.get(0)
        if made is None:
            made = _default[0] = connections_to()
        return made


def default_to(connections: Connections) -> None:
    """Let `pool` and `acquire` without a client use these, unless they have been used already."""
    with _default_lock:
        _default.setdefault(0, connections)
