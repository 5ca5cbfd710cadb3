"""Folders: where the embedded server keeps its data and its socket, and that both are private.

The folder is per user and per host name: a home that several hosts share must not make two of them share data.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from semaphores.errors import ServerUnavailable

__all__ = ["make_private", "socket_path", "state_folder", "usable"]

PROJECT = "redis-semaphores"
MAX_SOCKET_PATH = 100  # bytes; the kernel takes 107 (macOS: 103), and a longer one would be cut off silently


def state_folder() -> Path:
    """Return the embedded server's folder, made or not: `$XDG_STATE_HOME/redis-semaphores/HOSTNAME`."""
    chosen = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not chosen.is_absolute():  # the XDG specification: a relative path is to be ignored
        try:
            chosen = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ServerUnavailable(
                "there is no home folder for the embedded server: set HOME, XDG_STATE_HOME or SEMAPHORES_URL"
            ) from None
    return chosen / PROJECT / (re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname()).strip(".") or "localhost")


def socket_path(folder: Path) -> Path:
    """Return where a server in `folder` listens: there, or under a short path if that one is too long for a socket."""
    usual = folder / "socket"
    if _fits(usual):
        return usual
    short = sha256(os.fsencode(folder)).hexdigest()[:12]
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and _is_ours(runtime) and _fits(runtime / PROJECT / short):
        return runtime / PROJECT / short
    for root in (Path(tempfile.gettempdir()), Path("/tmp")):
        fallback = root / f"{PROJECT}-{os.geteuid()}-{short}" / "socket"
        if _fits(fallback):
            return fallback
    raise ServerUnavailable(f"{usual} is too long for a socket: set XDG_RUNTIME_DIR to a path of at most 60 bytes")


def make_private(folder: Path) -> None:
    """Make `folder` if it is missing, and let nobody but its owner in.

    Raises ServerUnavailable if it cannot be made or is not ours: another user could read or replace what is in it.
    """
    with usable():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            raise ServerUnavailable(
                f"{folder} is not a folder of this user: remove it, or set XDG_STATE_HOME or SEMAPHORES_URL"
            )
        folder.chmod(0o700)


@contextmanager
def usable() -> Iterator[None]:
    """Say what to do where a file or folder of the embedded server cannot be used: no rights, no space, no disk."""
    try:
        yield
    except ServerUnavailable:
        raise
    except OSError as error:
        raise ServerUnavailable(
            f"the embedded server's folder cannot be used ({error}): set XDG_STATE_HOME or SEMAPHORES_URL"
        ) from error


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH


def _is_ours(folder: Path) -> bool:
    """Tell whether `folder` is a real folder of ours; a link to one could be turned elsewhere by its owner."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
