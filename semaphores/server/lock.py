"""Lock: who may use the embedded server's folder, and the record of who does.

Two locks: `start.lock` is held while a process starts or stops the server, `server.lock` by the server itself, for
life: it inherits the open file, so the kernel frees the lock in the moment the server is gone, however it ends.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from semaphores.errors import ServerUnavailable

__all__ = ["FolderLock", "Record", "starting"]

POLL = 0.02  # seconds; a file lock can be waited for only without a timeout
START_PATIENCE = 90.0  # seconds that another process may take to start the server; it may have much data to load


@dataclass(frozen=True)
class Record:
    """Who holds a server's folder. `pid` is 0 while it starts; `created` and `clean` are those of this start."""

    host: str
    pid: int
    socket: str
    since: float  # seconds since 1970
    created: bool
    clean: bool


class FolderLock:
    """The lock on a server's folder: one open file, and what is written in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "server.lock"
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. The lock stays with a server that inherited it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def take(self) -> bool:
        """Take the lock if nobody has it, without waiting."""
        return _flock(self.descriptor)

    def is_held(self) -> bool:
        """Tell whether someone has the lock. Two who ask at the same time do not disturb each other."""
        return not _flock(self.descriptor, shared=True)

    def unused(self) -> bool:
        """Tell whether no server was ever recorded here."""
        return os.fstat(self.descriptor).st_size == 0

    def read(self) -> Record | None:
        """Return the record, or None if there is none that can be read."""
        try:
            return Record(**json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, record: Record) -> None:
        """Replace the record. Only whoever holds one of the two locks may."""
        text = (json.dumps(asdict(record)) + "\n").encode()
        os.pwrite(self.descriptor, text, 0)
        os.ftruncate(self.descriptor, len(text))


@contextmanager
def starting(folder: Path) -> Iterator[None]:
    """Be the only process that starts or stops the server in `folder`. Raises ServerUnavailable after 90 s."""
    descriptor = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + START_PATIENCE
        while not _flock(descriptor):
            if time.monotonic() > deadline:
                raise ServerUnavailable(
                    f"another process has been starting the embedded server for {START_PATIENCE:.0f} s:"
                    f" see who holds {folder / 'start.lock'}"
                )
            time.sleep(POLL)
        yield
    finally:
        os.close(descriptor)


def _flock(descriptor: int, *, shared: bool = False) -> bool:
    try:
        import fcntl
    except ImportError:
        raise ServerUnavailable("there is no embedded server on this system: set SEMAPHORES_URL") from None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise ServerUnavailable(
            f"the embedded server's folder cannot be locked ({error.strerror}): set XDG_STATE_HOME to a local disk"
        ) from error
    return True
