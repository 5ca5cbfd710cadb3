"""Call: how a list of commands becomes one EVALSHA, and what its reply means.

Pure: bytes and values in, bytes and values out. Replies and errors of the server are told apart here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import msgpack

from semaphores.scripts.compose import Script

__all__ = ["Answer", "Grant", "Header", "Reply", "Trouble", "build", "pack_command", "read_reply", "trouble_of"]

MOST_COMMANDS = 256  # in one call; the server refuses more

Answer = Mapping[str, object]  # `answer` says which kind; its fields are in the header of the command's Lua file


@dataclass(slots=True)
class Header:
    """Who calls, and what it knows. Spans in seconds."""

    session: str
    mark: int  # lowest N without an answer
    server: str  # the id of the server as its connection learned it
    epoch: int  # highest seen of this server and namespace, 0: none
    clock: int
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
    server: str
    lost: bool  # the session is not alive there
    grace: float | None  # seconds left of a grace
    more: bool  # work is left over: call again at once
    granted: tuple[Grant, ...]
    answers: Sequence[Answer]


class Trouble(Enum):
    """What an error reply asks its receiver to do."""

    LOAD = "load the script and send again"
    MEMORY = "out of memory: give back through the relief script"
    WAIT = "send again a little later"
    ELSEWHERE = "close this connection and find the server again"
    FATAL = "tell the caller"


_TROUBLES = {
    "NOSCRIPT": Trouble.LOAD,
    "OOM": Trouble.MEMORY,
    **dict.fromkeys(
        ("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "MISCONF", "NOREPLICAS"), Trouble.WAIT
    ),
    **dict.fromkeys(("READONLY", "MOVED", "ASK", "UNBLOCKED"), Trouble.ELSEWHERE),
}


def trouble_of(error: str) -> Trouble:
    """Return what to do about an error reply, by its first word."""
    return _TROUBLES.get(error.partition(" ")[0].lstrip("-"), Trouble.FATAL)


def pack_command(*words: bytes) -> bytes:
    """Return a command in the server's protocol."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def build(script: Script, prefix: str, header: Header, commands: Sequence[bytes]) -> bytes:
    """Return one EVALSHA with all commands, already encoded, behind its header."""
    fields: dict[str, object] = {
        "session": header.session,
        "mark": header.mark,
        "server": header.server,
        "ttl": header.ttl,
        "longest": header.longest,
    }
    if header.epoch:
        fields["epoch"] = header.epoch
        fields["clock"] = header.clock
    if header.alive:
        fields["alive"] = True
    if header.init:
        fields["init"] = True
    if header.calm:
        fields["calm"] = True
    if header.w:
        fields["w"] = header.w
    packed: bytes = msgpack.packb(fields)
    parts = [b"*%d\r\n" % (6 + len(commands)), _frame(script.sha, prefix), b"$%d\r\n%b\r\n" % (len(packed), packed)]
    parts += [b"$%d\r\n%b\r\n" % (len(command), command) for command in commands]
    return b"".join(parts)


_frames: dict[tuple[bytes, str], bytes] = {}


def _frame(sha: bytes, prefix: str) -> bytes:
    """The words of a call that never change: EVALSHA, the script and the two keys."""
    frame = _frames.get((sha, prefix))
    if frame is None:
        words = (b"EVALSHA", sha, b"2", f"{prefix}meta".encode(), f"{prefix}never".encode())
        frame = pack_command(*words).partition(b"\r\n")[2]
        _frames[sha, prefix] = frame
    return frame


def read_reply(packed: bytes) -> Reply:
    """Return what the call script replied."""
    fields = msgpack.unpackb(packed, unicode_errors="surrogateescape")  # a run's packed arguments may be in it
    granted = fields.get("granted")
    return Reply(
        int(fields["epoch"]),
        int(fields["clock"]),
        fields["server"],
        fields.get("lost", False),
        fields.get("grace"),
        fields.get("more", False),
        tuple([Grant(grant["n"], grant["token"], grant.get("run")) for grant in granted]) if granted else (),
        fields.get("answers", ()),
    )
