"""Distributed counting semaphores on Redis and Valkey: leases, waiting in line, limits that hold everywhere at once.

from semaphores import pool

@pool("database")
def refresh(): ...
"""

from semaphores.client import Client, connect
from semaphores.errors import (
    AcquireTimeout,
    ConfigError,
    InvalidName,
    InvalidNumber,
    InvalidUrl,
    LeaseLost,
    NotFound,
    Refused,
    SemaphoresError,
    ServerError,
    ServerUnavailable,
    ServerUnsuitable,
    TooHeavy,
    UsageError,
)
from semaphores.lease import AsyncLease, Lease
from semaphores.pool import Acquirer, acquire, pool

__all__ = [
    "AcquireTimeout",
    "Acquirer",
    "AsyncLease",
    "Client",
    "ConfigError",
    "InvalidName",
    "InvalidNumber",
    "InvalidUrl",
    "Lease",
    "LeaseLost",
    "NotFound",
    "Refused",
    "SemaphoresError",
    "ServerError",
    "ServerUnavailable",
    "ServerUnsuitable",
    "TooHeavy",
    "UsageError",
    "acquire",
    "connect",
    "pool",
]
