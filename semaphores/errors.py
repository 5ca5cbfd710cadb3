"""Errors: everything this library raises on purpose, each one line that says what to do.

    SemaphoresError
    ├── UsageError (ValueError)       the caller's mistake, found before anything was sent
    │   ├── InvalidName
    │   ├── InvalidNumber
    │   ├── InvalidUrl
    │   └── ConfigError               a file that cannot be used: file, line, path
    ├── AcquireTimeout (TimeoutError) no slot within `timeout`, or at once with `blocking=False`
    ├── TooHeavy                      asks for more slots than the limit will ever have
    ├── LeaseLost                     the lease is not certainly held any more
    ├── NotFound                      no such limit, lease, request or session
    ├── Refused                       the server understood and said no
    └── ServerError
        ├── ServerUnavailable (ConnectionError)
        └── ServerUnsuitable          reached, but it lacks what we rely on

An error carries its facts as attributes; its text is made from them. Passwords never reach one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from semaphores.wording import readable, seconds

__all__ = [
    "AcquireTimeout",
    "ConfigError",
    "Holder",
    "InvalidName",
    "InvalidNumber",
    "InvalidUrl",
    "LeaseLost",
    "NotFound",
    "Refused",
    "SemaphoresError",
    "ServerError",
    "ServerUnavailable",
    "ServerUnsuitable",
    "TooHeavy",
    "UsageError",
]


class SemaphoresError(Exception):
    """Root of all errors raised by this library."""


class UsageError(SemaphoresError, ValueError):
    """Report a caller's mistake, found before anything was sent."""


class InvalidName(UsageError):
    """Report a name that cannot be used. `kind`, `name`, `wanted`."""

    def __init__(self, kind: str, name: object, wanted: str) -> None:
        self.kind, self.name, self.wanted = kind, name, wanted
        shown = repr(name) if len(repr(name)) <= 80 else repr(name)[:77] + "..."
        super().__init__(f"{kind} {shown} cannot be used: it must be {wanted}")


class InvalidNumber(UsageError):
    """Report a number out of its range. `what`, `value`, `wanted`."""

    def __init__(self, what: str, value: object, wanted: str) -> None:
        self.what, self.value, self.wanted = what, value, wanted
        super().__init__(f"{what} cannot be {value!r}: it must be {wanted}")


class InvalidUrl(UsageError):
    """Report a server address that cannot be used. The address is not repeated: it may hold a password."""


class ConfigError(UsageError):
    """Report a configuration that cannot be used. `file`, `line` (from 1) and `path` say where."""

    def __init__(
        self, problem: str, *, file: str = "", line: int | None = None, path: str = "", hint: str = ""
    ) -> None:
        self.problem, self.file, self.line, self.path, self.hint = problem, file, line, path, hint
        where = ":".join(str(part) for part in (file, line) if part)
        at = f" at {path}" if path else ""
        super().__init__(f"{where + ': ' if where else ''}{problem}{at}{'; ' + hint if hint else ''}")


@dataclass(frozen=True)
class Holder:
    """Someone who holds slots of a limit."""

    lease: str  # SESSION/N
    name: str  # host:pid:task
    since: float  # seconds since 1970, the server's clock
    run: str | None = None  # that it holds them for

    def __str__(self) -> str:
        age = max(0.0, datetime.now(UTC).timestamp() - self.since)
        run = f"run {self.run} on " if self.run else ""
        return f"{run}{self.name}, {seconds(age)}"


QUIET = 3.0  # seconds; two beats: a holder heard of later than that may be dead


class AcquireTimeout(SemaphoresError, TimeoutError):
    """Report that no slot was granted in time.

    `limit` blocks; `used` of its `capacity` slots are held; `holders` are up to three of the oldest; `position` in line
    from 1; `waited` in seconds; `grace` is what is left of a grace period in seconds, during which nothing is granted;
    `silent` is how long ago the holder's process was last heard of, in seconds; `unanswered`: the server said nothing.
    """

    def __init__(
        self,
        limit: str,
        *,
        used: int = 0,
        capacity: int | None = None,
        holders: tuple[Holder, ...] = (),
        position: int | None = None,
        waited: float = 0.0,
        grace: float | None = None,
        silent: float | None = None,
        unanswered: bool = False,
    ) -> None:
        self.limit, self.used, self.capacity, self.holders = limit, used, capacity, holders
        self.position, self.waited, self.grace, self.silent = position, waited, grace, silent
        self.unanswered = unanswered
        super().__init__(self._render())

    def _render(self) -> str:
        waited = f"; waited {seconds(self.waited)}" if self.waited else ""
        if self.grace is not None:
            return (
                f"nothing is granted for another {seconds(self.grace)}: the server's data is new or was lost,"
                f" and living holders may still come back{waited}; wait, or on a server that never had any run"
                " 'semaphores init'"
            )
        name = readable(self.limit)
        if self.unanswered:
            return f"{name}: the server did not answer{waited}; see 'semaphores doctor'"
        if self.capacity is None:
            return f"{name}: no slot was granted in time{waited}; see who holds it with 'semaphores lease list'"
        if self.capacity == 0:
            return (
                f"{name} is paused or set to 0 ({self.used} slots still held){waited};"
                " 'semaphores pool resume' or 'pool set' lets it go on"
            )
        oldest = f" (oldest: {self.holders[0]})" if self.holders else ""
        line = f"; position {self.position} in line" if self.position else ""
        quiet = self.silent is not None and self.silent > QUIET
        silent = f"; its holder was last heard of {seconds(self.silent or 0)} ago" if quiet else ""
        full = "is full" if self.used >= self.capacity else "has others waiting first"
        return (
            f"{name} {full}: {self.used} of {self.capacity} slots held{oldest}{silent}{waited}{line};"
            " raise the limit, wait longer, or see who holds it with 'semaphores lease list'"
        )


class TooHeavy(SemaphoresError):
    """Report a request for more slots than the limit has. `limit`, `slots`, `capacity`."""

    def __init__(self, limit: str, slots: int, capacity: int) -> None:
        self.limit, self.slots, self.capacity = limit, slots, capacity
        super().__init__(
            f"{readable(limit)} has {capacity} slots, {slots} were asked for: ask for less, or raise the limit"
        )


class LeaseLost(SemaphoresError):
    """Report that a lease is not certainly held any more. `lease` is its id, `reason` why."""

    def __init__(self, lease: str, limits: str, reason: str) -> None:
        self.lease, self.limits, self.reason = lease, limits, reason
        super().__init__(
            f"lease {lease} on {limits} was lost: {reason}; others may hold the slot now, so stop this work"
        )


class NotFound(SemaphoresError):
    """Report that something named is not there. `kind`, `name`, `nearest`."""

    def __init__(self, kind: str, name: str, nearest: str | None = None) -> None:
        self.kind, self.name, self.nearest = kind, name, nearest
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"there is no {kind} {name!r}{hint}")


class Refused(SemaphoresError):
    """Report that the server understood a command and said no; the text is its reason."""


class ServerError(SemaphoresError):
    """Root of what is wrong with the server or the way to it."""


class ServerUnavailable(ServerError, ConnectionError):
    """Report that the server cannot be reached, or will not answer for now."""


class ServerUnsuitable(ServerError):
    """Report a server that lacks what we rely on, by name and version."""
