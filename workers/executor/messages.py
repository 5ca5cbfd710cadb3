"""Messages: what a worker and its child process tell each other, in msgpack over one socket.

To the child, for each op        From the child
    run, job, op, attempt,           log LEVEL TEXT           a line for the run's log
    run_attempt, tags, token                done RESULT CLEAN        packed; CLEAN: the op left no process and no thread
    module, file                     failed LINE TRACE CLEAN  what it raised
    arguments: packed
    lent: of the leases that it has
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import msgpack

from workers.context import Context
from workers.source import Source

__all__ = ["Done", "Failed", "Log", "Message", "Request", "message_from", "message_of", "request_from", "request_of"]


@dataclass(slots=True)
class Request:
    """An op to be carried out."""

    run: str
    job: str
    op: str
    attempt: int
    run_attempt: int
    tags: dict[str, str]
    token: int
    module: str
    file: str
    arguments: bytes
    lent: list[dict[str, Any]]  # what its own code may use again of what its run and it hold


@dataclass(slots=True)
class Log:
    """A line for the run's log."""

    level: str
    text: str


@dataclass(slots=True)
class Done:
    """The op returned."""

    result: bytes
    clean: bool


@dataclass(slots=True)
class Failed:
    """The op raised, or could not be called."""

    line: str
    clean: bool
    trace: list[str] = field(default_factory=list)


Message: TypeAlias = Log | Done | Failed
_KINDS: dict[object, type[Log | Done | Failed]] = {kind.__name__: kind for kind in (Log, Done, Failed)}


def request_of(context: Context, source: Source, arguments: bytes, lent: list[dict[str, Any]]) -> bytes:
    """Return the bytes of a request."""
    request = Request(
        context.run,
        context.job,
        context.op,
        context.attempt,
        context.run_attempt,
        dict(context.tags),
        context.token,
        source.name,
        source.file,
        arguments,
        lent,
    )
    return bytes(msgpack.packb(asdict(request)))


def message_of(message: Message) -> bytes:
    """Return the bytes of a message."""
    return bytes(msgpack.packb({"is": type(message).__name__, **asdict(message)}))


def message_from(told: dict[str, object]) -> Message:
    """Return the message that came as this."""
    kind = _KINDS[told.pop("is")]
    return kind(**told)  # type: ignore[arg-type]


def request_from(told: dict[str, object]) -> Request:
    """Return the request that came as this."""
    return Request(**told)  # type: ignore[arg-type]
