"""Commands: what a call can ask of the server, one dataclass each; the Lua file of the same name carries it out.

A field that is None is absent on the wire. Numbers that may pass 2^53 travel as decimal text.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import msgpack

from semaphores.scripts.run_commands import RunCommand

__all__ = [
    "Acquire",
    "Beat",
    "Begin",
    "Cancel",
    "ChangeLimits",
    "Command",
    "End",
    "LimitChange",
    "Reassert",
    "Release",
    "Revoke",
    "encode",
]


@dataclass(slots=True)
class Begin:
    """Make the calling session."""

    op: ClassVar[str] = "begin"
    admits: ClassVar[bool] = False
    host: str  # key of boot and pid namespace
    where: str  # host name, for people
    program: str
    pids: str  # `PID:STARTED` words of the processes that work on its leases
    ttl: float  # seconds; configured, counts only while a loss is being repaired
    replaces: str | None = None
    returning: bool | None = None
    company: int | None = None  # the number of this list of pids, where it changes while the session lives


@dataclass(slots=True)
class End:
    """Give back all that the session has."""

    op: ClassVar[str] = "end"
    admits: ClassVar[bool] = False


@dataclass(slots=True)
class Acquire:
    """Take slots of several limits, all or nothing, or wait in line for them."""

    op: ClassVar[str] = "acquire"
    admits: ClassVar[bool] = True
    needs: str  # `pool:api=2 pool:database=1`
    holder: str  # `HOST:PID:TASK`, one word
    priority: int | None = None
    order: str | None = None  # of a request that is sent again
    try_: bool | None = None


@dataclass(slots=True)
class Release:
    """End one lease of the session."""

    op: ClassVar[str] = "release"
    admits: ClassVar[bool] = False
    lease: int
    token: str


@dataclass(slots=True)
class Cancel:
    """Give up a request of the session, whatever became of it."""

    op: ClassVar[str] = "cancel"
    admits: ClassVar[bool] = False
    request: int
    explain: bool | None = None


@dataclass(slots=True)
class Beat:
    """Keep the session alive, and compare a window of what it holds and awaits with what the server has."""

    op: ClassVar[str] = "beat"
    admits: ClassVar[bool] = False
    low: int
    high: int
    held: Sequence[int] | None = None
    awaited: Sequence[int] | None = None
    config: int | None = None
    host: str | None = None
    gone: Mapping[str, str] | None = None  # sessions of this host whose processes are gone, with the pids they had
    pids: str | None = None
    company: int | None = None


@dataclass(slots=True)
class Reassert:
    """Bring back, in a grace, leases and limits that the data lost."""

    op: ClassVar[str] = "reassert"
    admits: ClassVar[bool] = False
    leases: Sequence[Mapping[str, object]] | None = None  # lease, needs, token, holder, since (ms), run (its fields)
    limits: Sequence[Mapping[str, str | int]] | None = None  # limit, capacity, info
    config: int | None = None


@dataclass(slots=True)
class LimitChange:
    """One change of one limit."""

    limit: str
    kind: Literal["set", "fill", "delete", "pause", "resume"]
    capacity: int | None = None
    description: str | None = None


@dataclass(slots=True)
class ChangeLimits:
    """Change limits, all or nothing."""

    op: ClassVar[str] = "change_limits"
    admits: ClassVar[bool] = False
    changes: Sequence[Mapping[str, str | int]]
    origin: Literal["file", "hand"]
    by: str
    expect: int | None = None
    settings: Mapping[str, str] | None = None  # of runs, by name; "" deletes one


@dataclass(slots=True)
class Revoke:
    """Take a lease from its holder."""

    op: ClassVar[str] = "revoke"
    admits: ClassVar[bool] = False
    lease: str  # SESSION/N
    by: str
    at_once: bool | None = None


Command = Begin | End | Acquire | Release | Cancel | Beat | Reassert | ChangeLimits | Revoke | RunCommand


def encode(command: Command, n: int) -> bytes:
    """Return a command as the server reads it: a map of words, without what is absent."""
    if n <= MOST_SHORT:  # the two that a pair consists of are packed ahead; only numbers are added
        if type(command) is Release and command.lease <= MOST_SHORT and len(command.token) < 32:
            token = command.token.encode()
            return b"%b%b\xa5token%c%b\xa1n\xce%b" % (
                _RELEASE,
                _short(command.lease),
                0xA0 + len(token),
                token,
                _short(n),
            )
        if type(command) is Acquire and command.order is None and command.try_ is None and command.priority is None:
            return _acquire_packed(command.needs, command.holder) + _short(n)
    fields: dict[str, object] = {"op": command.op, "n": n}
    for name in command.__slots__:
        value = getattr(command, name)
        if value is None or (value.__class__ in _LISTS and not value):
            continue
        fields["try" if name == "try_" else name] = value
    packed: bytes = msgpack.packb(fields, unicode_errors="surrogateescape")
    return packed


_LISTS = (list, tuple)
MOST_SHORT = 2**32 - 1  # as a 32-bit number of msgpack; beyond it, commands are packed the long way
_short = struct.Struct(">I").pack
_RELEASE = b"\x84\xa2op\xa7release\xa5lease\xce"


@lru_cache(maxsize=4096)
def _acquire_packed(needs: str, holder: str) -> bytes:
    fields: bytes = msgpack.packb({"op": "acquire", "needs": needs, "holder": holder})
    return b"\x84" + fields[1:] + b"\xa1n\xce"  # a map of one more
