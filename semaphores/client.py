"""Client: every verb of this library on one namespace. Synchronous; `client.aio` has the same names as coroutines.

A client adds nothing of its own: what it can do is written in the modules that it calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Literal, Self, TypeVar

from anyio import to_thread

from semaphores import doctor, limits, status
from semaphores.connecting import connections_to
from semaphores.connections import Connections
from semaphores.errors import NotFound, Refused
from semaphores.pool import Acquirer
from semaphores.pool import acquire as _acquire
from semaphores.pool import pool as _pool
from semaphores.runs.client import AsyncRuns, Runs
from semaphores.runs.why import RunWhy, why
from semaphores.scripts.asking import Asking, drive
from semaphores.scripts.commands import LimitChange, Revoke
from semaphores.scripts.compose import library
from semaphores.session.process import user
from semaphores.status import AuditEntry, LeaseView, LimitStatus, NamespaceView, RequestView, SessionView
from semaphores.status.places import HoldersPage, WaitersView
from semaphores.why import Why

__all__ = ["AsyncClient", "AsyncLimits", "Client", "Limits", "connect"]

T = TypeVar("T")


class Limits:
    """Limits of one namespace, by the name that is stored: `runs`, `pool:database`, `tag:team=growth`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def list(self) -> tuple[LimitStatus, ...]:
        """Return every limit that has a capacity, holders or waiters."""
        return drive(status.status(), self._connections.ask)

    def get(self, limit: str) -> LimitStatus:
        """Return one limit. Raises NotFound with the nearest known name."""
        known = {one.limit: one for one in self.list()}
        if limit not in known:
            raise NotFound("limit", limit, limits.nearest(limit, tuple(known)))
        return known[limit]

    def set(self, limit: str, capacity: int, *, description: str | None = None) -> limits.Changed:
        """Set a capacity in slots: 0 lets nothing start, -1 is unlimited."""
        return self._run(limits.set_capacity(limit, capacity, description))[0]

    def delete(self, limit: str) -> limits.Changed:
        """Delete a limit; what waits for it goes on at once. Raises NotFound."""
        return self._run(limits.delete(limit))[0]

    def pause(self, limit: str) -> limits.Changed:
        """Let nothing more start, and remember the capacity."""
        return self._run(limits.pause(limit))[0]

    def resume(self, limit: str) -> limits.Changed:
        """Bring back what a pause remembered. Raises Refused when it was not paused."""
        return self._run(limits.resume(limit))[0]

    def change(
        self,
        changes: Sequence[LimitChange],
        *,
        origin: Literal["file", "hand"] = "hand",
        expect: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> tuple[limits.Changed, ...]:
        """Change several limits, and settings of runs, all or nothing.

        `settings`: granularity (op or run), start_timeout, cancel_timeout, max_runtime (seconds); "" deletes one.
        Raises Refused when the config version is not `expect` any more.
        """
        return self._run(limits.change(changes, origin, expect, settings))

    def _run(self, changing: limits.Changing) -> tuple[limits.Changed, ...]:
        try:
            command = next(changing)
            while True:
                command = changing.send(self._connections.command(command))
        except StopIteration as done:
            changed: tuple[limits.Changed, ...] = done.value
            return changed


class Client:
    """One namespace on one server. Made by `connect`; close it, or use it as a context manager."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.limits = Limits(connections)
        self.runs = Runs(connections)
        self.aio = AsyncClient(self)

    def __repr__(self) -> str:
        return f"<Client of namespace {self.connections.namespace!r} on {self.connections.endpoint.redacted}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back everything that this client holds, and close its connections."""
        self.connections.close()

    def pool(
        self,
        name: str,
        *,
        slots: int = 1,
        timeout: float | timedelta | None = None,
        priority: int = 0,
        blocking: bool = True,
    ) -> Acquirer:
        """Limit what runs at once in a pool, as `semaphores.pool` does."""
        return _pool(
            name, slots=slots, timeout=timeout, priority=priority, blocking=blocking, connections=self.connections
        )

    def acquire(
        self,
        *,
        pools: Mapping[str, int] | None = None,
        tags: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        priority: int = 0,
        blocking: bool = True,
    ) -> Acquirer:
        """Take slots of several limits, all or nothing, as `semaphores.acquire` does."""
        return _acquire(
            pools=pools, tags=tags, timeout=timeout, priority=priority, blocking=blocking, connections=self.connections
        )

    def status(self) -> tuple[LimitStatus, ...]:
        """Return every limit: used, capacity, waiting, oldest wait."""
        return self._ask(status.status())

    def leases(self, limit: str | None = None) -> tuple[LeaseView, ...]:
        """Return who holds slots, of one limit or of all."""
        return self._ask(status.leases(limit))

    def requests(self, limit: str | None = None) -> tuple[RequestView, ...]:
        """Return who waits, of one limit or of all."""
        return self._ask(status.requests(limit))

    def holders(self, limit: str, offset: int = 0) -> HoldersPage:
        """Return a page of who holds slots of a limit (as stored), the oldest first."""
        return self._ask(status.holders_page(limit, offset))

    def waiters(self, limit: str, count: int = 50) -> WaitersView:
        """Return who waits because of a limit (as stored), requests and queued runs, as they go on."""
        return self._ask(status.waiters(limit, count))

    def limits_named(self, names: Sequence[str]) -> tuple[LimitStatus, ...]:
        """Return these limits (as stored) as they are now, whether or not anything is known of them."""
        return self._ask(status.limits_named(list(names)))

    def sessions(self) -> tuple[SessionView, ...]:
        """Return the processes that live in this namespace."""
        return self._ask(status.sessions())

    def why(self, name: str) -> Why | RunWhy:
        """Say why a run or a request waits, what a lease or a session holds, what fills a limit. Raises NotFound."""
        return self._ask(why(name))

    def namespace(self) -> NamespaceView:
        """Return epoch, grace, T and config version."""
        return self._ask(status.summary())

    def audit(self, count: int = 50) -> tuple[AuditEntry, ...]:
        """Return the latest limit changes and forced releases, newest first."""
        return self._ask(status.audit(count))

    def release(self, lease: str, *, now: bool = False) -> bool:
        """Take a lease from its holder; True when its slots are free already.

        The holder is told at once, and the slots are free when it answers or its T is over; `now` frees them at once,
        and two may work. Raises NotFound.
        """
        answer = self.connections.command(Revoke(lease, user(), True if now else None))
        if answer["answer"] == "missing":
            raise NotFound("lease", lease, limits.nearest(lease, [held.id for held in self.leases()]))
        if answer["answer"] != "revoked":
            raise Refused(str(answer.get("reason")))
        return bool(answer["freed"])

    def examine(self) -> tuple[doctor.Finding, ...]:
        """Return everything that does not agree in this namespace, and what endangers its server."""
        told = doctor.ask_server(self.connections.plain)
        left = doctor.examine_libraries(told.libraries, library().name)
        return (*doctor.examine_server(told.info, told.settings), *left, *self._ask(doctor.examine()))

    def repair(self, findings: Sequence[doctor.Finding]) -> doctor.Mended:
        """Make slots, leases, sessions, groups and places agree again. No living lease is ever freed."""
        return drive(
            doctor.repair(findings, ttl=self.connections.settings.ttl),
            lambda question: self.connections.ask(question, "repair"),
        )

    def _ask(self, asking: Asking[T]) -> T:
        return drive(asking, self.connections.ask)


class AsyncLimits:
    """The verbs of `Limits` as coroutines."""

    def __init__(self, limits_: Limits) -> None:
        self._limits = limits_

    async def list(self) -> tuple[LimitStatus, ...]:
        """Return every limit that has a capacity, holders or waiters."""
        return await to_thread.run_sync(self._limits.list)

    async def get(self, limit: str) -> LimitStatus:
        """Return one limit. Raises NotFound with the nearest known name."""
        return await to_thread.run_sync(self._limits.get, limit)

    async def set(self, limit: str, capacity: int, *, description: str | None = None) -> limits.Changed:
        """Set a capacity in slots: 0 lets nothing start, -1 is unlimited."""
        return await to_thread.run_sync(lambda: self._limits.set(limit, capacity, description=description))

    async def delete(self, limit: str) -> limits.Changed:
        """Delete a limit; what waits for it goes on at once. Raises NotFound."""
        return await to_thread.run_sync(self._limits.delete, limit)

    async def pause(self, limit: str) -> limits.Changed:
        """Let nothing more start, and remember the capacity."""
        return await to_thread.run_sync(self._limits.pause, limit)

    async def resume(self, limit: str) -> limits.Changed:
        """Bring back what a pause remembered. Raises Refused when it was not paused."""
        return await to_thread.run_sync(self._limits.resume, limit)


class AsyncClient:
    """The verbs of `Client` as coroutines. `pool` and `acquire` are the client's own: they work in both worlds."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.limits = AsyncLimits(client.limits)
        self.runs = AsyncRuns(client.runs)

    async def status(self) -> tuple[LimitStatus, ...]:
        """Return every limit: used, capacity, waiting, oldest wait."""
        return await to_thread.run_sync(self._client.status)

    async def leases(self, limit: str | None = None) -> tuple[LeaseView, ...]:
        """Return who holds slots, of one limit or of all."""
        return await to_thread.run_sync(self._client.leases, limit)

    async def requests(self, limit: str | None = None) -> tuple[RequestView, ...]:
        """Return who waits, of one limit or of all."""
        return await to_thread.run_sync(self._client.requests, limit)

    async def sessions(self) -> tuple[SessionView, ...]:
        """Return the processes that live in this namespace."""
        return await to_thread.run_sync(self._client.sessions)

    async def why(self, name: str) -> Why | RunWhy:
        """Say why a run or a request waits, what a lease or a session holds, what fills a limit. Raises NotFound."""
        return await to_thread.run_sync(self._client.why, name)

    async def release(self, lease: str, *, now: bool = False) -> bool:
        """Take a lease from its holder; True when its slots are free already."""
        return await to_thread.run_sync(lambda: self._client.release(lease, now=now))

    async def close(self) -> None:
        """Give back everything that this client holds, and close its connections."""
        await to_thread.run_sync(self._client.close)


def connect(
    url: str | None = None, *, namespace: str | None = None, ttl: float | timedelta | None = None, init: bool = False
) -> Client:
    """Return a client of a namespace.

    `url` is SEMAPHORES_URL by default, else the embedded server of this user and host; `namespace` is
    SEMAPHORES_NAMESPACE, else `default`; `ttl` (seconds, 1 to 60) is the life of a session without heartbeat, one for a
    namespace, fixed when it is made. `init`: this server never had the namespace, so nobody need be waited for.
    Raises UsageError, ServerUnavailable.
    """
    return Client(connections_to(url, namespace=namespace, ttl=ttl, init=init))
