"""Find: from an endpoint to one server, and a connection to it as redis-py opens it (TLS, authentication, database).

Sentinel is asked for its primary and the cluster for the node of our keys each time anew: a failover moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import redis
from redis.asyncio import connection as async_connection
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry
from redis.sentinel import Sentinel

from semaphores.errors import ServerUnavailable
from semaphores.transport.url import Endpoint

__all__ = ["async_connection_to", "find", "sync_connection_to", "unreachable"]

CONNECT_TIMEOUT = 2.0  # seconds; connecting that takes longer will not be quick to answer either

UNREACHABLE = (redis.RedisError, OSError)

_SYNC: dict[str, Callable[..., AbstractConnection]] = {
    "unix": UnixDomainSocketConnection,
    "tls": SSLConnection,
    "tcp": Connection,
}
_ASYNC: dict[str, Callable[..., async_connection.AbstractConnection]] = {
    "unix": async_connection.UnixDomainSocketConnection,
    "tls": async_connection.SSLConnection,
    "tcp": async_connection.Connection,
}


def _kind(endpoint: Endpoint) -> str:
    return "unix" if endpoint.kind == "unix" else "tls" if endpoint.tls else "tcp"


def unreachable(endpoint: Endpoint, error: Exception) -> ServerUnavailable:
    """Return the error for a server that cannot be reached, without its password."""
    reason = str(error).replace(endpoint.password, "***") if endpoint.password else str(error)
    return ServerUnavailable(
        f"cannot reach {endpoint.redacted}: {reason.splitlines()[0] if reason else type(error).__name__};"
        " is the server running, and is SEMAPHORES_URL or --url right?"
    )


def _options(endpoint: Endpoint) -> dict[str, object]:
    # No retries by the client library: its default ones run a command twice and can block for a minute.
    return {
        "username": endpoint.username,
        "password": endpoint.password,
        "db": endpoint.database,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": CONNECT_TIMEOUT,
    }


def find(endpoint: Endpoint, key: str) -> Mapping[str, object]:
    """Return the options of a connection to the one server that has `key` now.

    Raises ServerUnavailable when nobody can tell.
    """
    options = _options(endpoint)
    if endpoint.kind == "unix":
        return {**options, "path": endpoint.path}
    host, port = endpoint.hosts[0]
    try:
        if endpoint.kind == "sentinel":
            tls = {"ssl": True} if endpoint.tls else {}
            sentinel = Sentinel(list(endpoint.hosts), sentinel_kwargs={"socket_timeout": CONNECT_TIMEOUT, **tls})
            host, port = sentinel.discover_master(endpoint.service)
        elif endpoint.kind == "cluster":
            cluster = RedisCluster(
                startup_nodes=[ClusterNode(name, number) for name, number in endpoint.hosts],
                username=endpoint.username,
                password=endpoint.password,
                ssl=endpoint.tls,
                socket_timeout=CONNECT_TIMEOUT,
            )
            node = cluster.get_node_from_key(key)
            cluster.close()
            if node is None:
                raise ServerUnavailable(f"no node of {endpoint.redacted} serves the key {key}")
            host, port = node.host, node.port
    except UNREACHABLE as error:
        raise unreachable(endpoint, error) from None
    return {**options, "host": host, "port": port}


def sync_connection_to(endpoint: Endpoint, key: str, timeout: float) -> AbstractConnection:
    """Return an open connection; `timeout` in seconds bounds each read and write. Raises ServerUnavailable."""
    options: dict[str, object] = {**find(endpoint, key), "socket_timeout": timeout}
    options["socket_connect_timeout"] = min(CONNECT_TIMEOUT, timeout)
    connection: AbstractConnection = _SYNC[_kind(endpoint)](**options)
    try:
        connection.connect()
    except UNREACHABLE as error:
        raise unreachable(endpoint, error) from None
    return connection


async def async_connection_to(endpoint: Endpoint, found: Mapping[str, object]) -> async_connection.AbstractConnection:
    """Return an open connection of the running asyncio loop. Raises ServerUnavailable."""
    options: dict[str, object] = {**found, "retry": None}
    connection: async_connection.AbstractConnection = _ASYNC[_kind(endpoint)](**options)
    try:
        await connection.connect()
    except UNREACHABLE as error:
        raise unreachable(endpoint, error) from None
    return connection
