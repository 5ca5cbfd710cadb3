"""Call: how a list of commands becomes one call of a function, and what its reply means.

Pure: bytes and values in, bytes and values out. Replies and errors of the server are told apart here, once.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from typing import NamedTuple

import msgpack

from semaphores.scripts.compose import library

__all__ = [
    "Answer",
    "Grant",
    "Header",
    "Reply",
    "Trouble",
    "build",
    "function_words",
    "pack_command",
    "read_reply",
    "trouble_of",
]

UNKNOWN_FUNCTION = "ERR Function not found"

Answer = Mapping[str, object]  # `answer` says which kind; its fields are in the header of the command's Lua file


class Header(NamedTuple):
    """Who calls, and what it knows for longer than one call. Spans in seconds."""

    session: str
    server: str  # the id of the server as its connection learned it
    ttl: float
    longest: float  # the longest T that holders unknown to this caller may have
    alive: bool = True  # before its own deadline
    init: bool = False
    calm: bool = False  # the server was stopped in order, and is ours alone
    w: float = 0.0  # how long an old primary may still acknowledge


@dataclass(frozen=True, slots=True)
class Grant:
    """A waiting request that was granted; of a take, with the run that it got: its fields by name."""

    n: int
    token: str
    run: Mapping[str, str] | None = None


@dataclass(slots=True)
class Reply:
    """What one call came back with."""

    epoch: int
    clock: int
    lost: bool = False  # the session is not alive there
    grace: float | None = None  # seconds left of a grace
    more: bool = False  # work is left over: call again at once
    granted: Sequence[Grant] = ()
    answers: Sequence[Answer] = ()


class Trouble(Enum):
    """What an error reply asks its receiver to do."""

    LOAD = "load the library and send again"
    MEMORY = "out of memory: give back through `relief`"
    WAIT = "send again a little later"
    ELSEWHERE = "close this connection and find the server again"
    FATAL = "tell the caller"


_TROUBLES = {
    "OOM": Trouble.MEMORY,
    **dict.fromkeys(
        ("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "MISCONF", "NOREPLICAS"), Trouble.WAIT
    ),
    **dict.fromkeys(("READONLY", "MOVED", "ASK", "UNBLOCKED"), Trouble.ELSEWHERE),
}


def trouble_of(error: str) -> Trouble:
    """Return what to do about an error reply, by its first word; a missing function has none of its own."""
    if error == UNKNOWN_FUNCTION:
        return Trouble.LOAD
    return _TROUBLES.get(error.partition(" ")[0].lstrip("-"), Trouble.FATAL)


def pack_command(*words: bytes) -> bytes:
    """Return a command in the server's protocol."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def function_words(function: str, prefix: str) -> tuple[bytes, ...]:
    """Return the words that call a function of the library, up to its two keys."""
    return *library().words(function), b"2", f"{prefix}meta".encode(), f"{prefix}never".encode()


def build(
    prefix: str, header: Header, mark: int, seen: tuple[int, int], commands: Sequence[bytes], function: str = "call"
) -> bytes:
    """Return one FCALL with all commands, already encoded, behind its header; `function` is `call` or `relief`.

    `mark` is the lowest N without an answer; `seen` the highest (epoch, clock) of this namespace there; (0, 0): none.
    """
    packed = _packed(header) + _long(mark) + b"\xa5epoch\xcf" + _long(seen[0]) + b"\xa5clock\xcf" + _long(seen[1])
    parts = [b"*%d\r\n" % (6 + len(commands)), _frame(function, prefix), b"$%d\r\n%b\r\n" % (len(packed), packed)]
    parts += [b"$%d\r\n%b\r\n" % (len(command), command) for command in commands]
    return b"".join(parts)


_long = struct.Struct(">Q").pack  # a number of msgpack's behind its first byte, 0xcf


@lru_cache(maxsize=256)
def _packed(header: Header) -> bytes:
    """A map of all that does not change from call to call, up to the three numbers that do: mark, epoch, clock."""
    fields = [(name, value) for name, value in header._asdict().items() if value]
    packer = msgpack.Packer()
    parts = [packer.pack_map_header(len(fields) + 3), *(packer.pack(one) for field in fields for one in field)]
    return b"".join(parts) + b"\xa4mark\xcf"


@cache
def _frame(function: str, prefix: str) -> bytes:
    """The words of a call that never change, as the protocol has them."""
    return pack_command(*function_words(function, prefix)).partition(b"\r\n")[2]


def read_reply(packed: bytes) -> Reply:
    """Return what `call` or `relief` replied."""
    fields = msgpack.unpackb(packed, unicode_errors="surrogateescape")  # a run's packed arguments may be in it
    if "granted" in fields:
        fields["granted"] = [Grant(grant["n"], grant["token"], grant.get("run")) for grant in fields["granted"]]
    return Reply(**fields)
