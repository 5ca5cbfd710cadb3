"""Process: who we are on this host, and whether others on it are certainly gone.

A process is known by pid and start time within one boot and one pid namespace; without all of these nothing is certain,
and a session of it ends by its T alone.
"""

from __future__ import annotations

import getpass
import os
import socket
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

__all__ = ["all_gone", "host_key", "my_pids", "new_session_id", "pid_word", "program", "user", "where", "word_of"]

_PROC = Path("/proc")


def new_session_id() -> str:
    """Return a new session id: 96 random bits, short enough to read."""
    return token_hex(12)


def where() -> str:
    """Return this host's name."""
    return socket.gethostname() or "localhost"


def user() -> str:
    """Return who runs this process, as `USER@HOST`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        name = str(os.getuid())
    return word_of(f"{name}@{where()}")


def program() -> str:
    """Return what runs here, for people: the script's or module's name."""
    return word_of(Path(sys.argv[0]).name or "python")[:200]


def word_of(text: str) -> str:
    """Return text as one word of a stored line: blanks, control characters and `%` are percent-encoded."""
    encoded = "".join(
        "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        if char.isspace() or char == "%" or not char.isprintable()
        else char
        for char in text
    )
    return encoded.encode()[:200].decode("utf-8", "ignore") or "-"


@cache
def host_key() -> str:
    """Return a key of this boot and pid namespace; a random one where that cannot be known: nobody shares it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return token_hex(16)
    return sha256(f"{boot} {namespace}".encode()).hexdigest()[:32]


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None if it is gone or a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if len(fields) < 20:
        raise OSError(f"/proc/{pid}/stat cannot be read")  # not certain, and no reason for a thread to end
    return None if fields[0] in "ZX" else fields[19]


def my_pids() -> str:
    """Return this process as `PID:STARTED`; empty where start times cannot be read."""
    return pid_word(os.getpid())


def pid_word(pid: int) -> str:
    """Return a process as `PID:STARTED`; empty where start times cannot be read."""
    try:
        started = _started(pid)
    except OSError:
        return ""
    return f"{pid}:{started}" if started else ""


def all_gone(pids: str) -> bool:
    """Return whether every process of a session of this host is certainly gone."""
    entries = [entry.partition(":") for entry in pids.split()]
    try:
        return bool(entries) and all(
            pid.isdigit() and bool(started) and _started(int(pid)) != started for pid, _, started in entries
        )
    except OSError:  # not allowed to look: not certain
        return False
