"""Distributed counting semaphores on Redis and Valkey: leases, waiting in line, limits that hold everywhere at once.

    from semaphores import pool

    @pool("database")
    def refresh(): ...

A name is imported when it is first used, so that `import semaphores` and `semaphores --help` cost next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_FROM = {
    **dict.fromkeys(("Client", "connect"), "client"),
    **dict.fromkeys(("AsyncLease", "Lease"), "lease"),
    **dict.fromkeys(("Acquirer", "acquire", "pool"), "pool"),
}


class _Package(ModuleType):
    """This package: what it exports comes from its modules when it is first asked for."""

    def __getattr__(self, name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{__name__}.{_FROM.get(name, 'errors')}"), name)
        setattr(self, name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # `semaphores.pool` is the function: importing the module of that name must not put itself in its place
        if name != "pool" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
