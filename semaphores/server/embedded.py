"""Embedded: start, find and stop the one server of this user on this host.

Invariant: a server runs in a folder only while it holds that folder's lock. Nothing is decided by a pid or by a socket
that does not answer.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from semaphores.errors import Refused, ServerUnavailable
from semaphores.server.folders import make_private, socket_path, state_folder, usable
from semaphores.server.launch import find_binary, last_line, launch, write_settings
from semaphores.server.lock import POLL, FolderLock, Record, starting
from semaphores.server.wire import Connection, Failure
from semaphores.wording import seconds

__all__ = ["EmbeddedServer", "ServerStatus", "ensure", "status", "stop", "url"]

ANSWER_TIMEOUT = 2.0  # seconds for one PING on a local socket; a server that takes longer is stuck or frozen
LOAD_TIMEOUT = 60.0  # seconds to load the data; about 10 GB on a plain disk, far above what semaphores need


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server.

    `created`: it was started during this call in a data folder made for it, so no lease can ever have lived there.
    `clean`: it was started during this call, and the server before it had ended in order, its last write on disk.
    """

    url: str
    socket: Path
    folder: Path
    pid: int
    created: bool = False
    clean: bool = False


@dataclass(frozen=True)
class ServerStatus:
    """What is known of the embedded server, running or not."""

    running: bool  # it answers
    held: bool  # some server holds the folder, whether it answers or not
    url: str
    socket: Path
    folder: Path
    pid: int | None = None
    host: str | None = None
    since: float | None = None  # seconds since 1970

    def __str__(self) -> str:
        if self.running:
            return f"running on {self.host}, pid {self.pid}, {self.url}"
        return f"does not answer, but {self.folder} is held" if self.held else f"not running ({self.folder})"


def ensure(*, timeout: float = 5.0) -> EmbeddedServer:
    """Return the embedded server, started if none runs.

    `timeout` in seconds is how long to wait for one that holds the folder and does not answer yet. Raises
    ServerUnavailable where there is none to start, or when someone else holds the folder.
    """
    folder = state_folder()
    with usable():
        before = _record(folder)
        if before and before.pid and _ask(Path(before.socket)) == "ready":
            return _server(folder, replace(before, created=False, clean=False))
        make_private(folder)
        with starting(folder), FolderLock(folder) as lock:
            deadline = time.monotonic() + timeout
            while not lock.take():
                found = lock.read()
                answer = _ask(_socket_of(folder, found))
                if answer == "ready" and found:
                    return _server(folder, _joined(folder, lock, found, before))
                if time.monotonic() > deadline and answer != "loading":
                    raise _held(folder, found)
                time.sleep(POLL)
            return _server(folder, _start(folder, lock))


def status() -> ServerStatus:
    """Return what is known of the embedded server. Starts and makes nothing."""
    folder = state_folder()
    found = _record(folder)
    path = _socket_of(folder, found)
    held = _is_held(folder)
    running = held and _ask(path) == "ready"
    if not held or found is None:
        return ServerStatus(running, held, _url(path), path, folder)
    return ServerStatus(running, held, _url(path), path, folder, found.pid or None, found.host, found.since)


def url() -> str:
    """Return the embedded server's address, whether it runs or not."""
    folder = state_folder()
    return _url(_socket_of(folder, _record(folder) if _is_held(folder) else None))


def stop(*, timeout: float = 10.0) -> bool:
    """Stop the embedded server and return when it is gone, its data on disk; False if none ran.

    `timeout` in seconds. Raises Refused if the server will not stop, ServerUnavailable if it does not answer.
    """
    folder = state_folder()
    if not _is_held(folder):
        return False
    with usable(), starting(folder), FolderLock(folder) as lock:
        if lock.take():
            return False
        found = lock.read()
        try:
            with Connection(_socket_of(folder, found), timeout=timeout) as connection:
                reply = connection.call("SHUTDOWN")
        except ConnectionResetError:
            reply = None  # a server that goes closes the connection without a reply
        except OSError as error:
            raise _held(folder, found) from error
        if isinstance(reply, Failure):
            raise Refused(f"the embedded server will not stop: {reply.text}; see {folder / 'log'}")
        deadline = time.monotonic() + timeout
        while not lock.take():
            if time.monotonic() > deadline:
                raise _held(folder, found)
            time.sleep(POLL)
    return True


def _start(folder: Path, lock: FolderLock) -> Record:
    """Start the server with `lock` held by us, hand the lock over to it, and return when it answers."""
    binary, path, pid_file = find_binary(), socket_path(folder), folder / "pid"
    unused, before = lock.unused(), lock.read()
    created = _make_data_folder(folder) and unused
    if path.parent != folder:
        make_private(path.parent)
    # The server removes its pid file as the last thing of a stop in order. A start that failed proves nothing new.
    ended_in_order = before is not None and not pid_file.exists() and (before.pid != 0 or before.clean)
    record = Record(socket.gethostname(), 0, str(path), time.time(), created, ended_in_order and not created)
    lock.write(record)
    path.unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)
    launch(binary, write_settings(folder, path, pid_file), lock.descriptor)
    lock.close()  # from here on it is the server's alone: should it die, the lock is free
    deadline = time.monotonic() + LOAD_TIMEOUT
    while _ask(path) != "ready":
        if not _is_held(folder):
            raise ServerUnavailable(f"the embedded server did not start: {last_line(folder / 'log')}")
        if time.monotonic() > deadline:
            raise ServerUnavailable(f"the embedded server is not ready yet: {last_line(folder / 'log')}")
        time.sleep(POLL)
    with FolderLock(folder) as again:
        return _with_pid(folder, again, record)


def _joined(folder: Path, lock: FolderLock, found: Record, before: Record | None) -> Record:
    """Return the record of a server that another process started, as it concerns a call that first saw `before`."""
    if found.pid == 0:  # its starter died before it could complete the record
        return _with_pid(folder, lock, found)
    during_this_call = before is None or before.pid == 0 or before.since != found.since
    return found if during_this_call else replace(found, created=False, clean=False)


def _with_pid(folder: Path, lock: FolderLock, record: Record) -> Record:
    """Complete the record of a server that answers now."""
    complete = replace(record, pid=int((folder / "pid").read_text()))
    lock.write(complete)
    return complete


def _make_data_folder(folder: Path) -> bool:
    try:
        (folder / "data").mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def _ask(path: Path) -> Literal["ready", "loading", "silent"]:
    try:
        with Connection(path, timeout=ANSWER_TIMEOUT) as connection:
            reply = connection.call("PING")
    except (OSError, ValueError):
        return "silent"
    loading = isinstance(reply, Failure) and reply.text.startswith("LOADING")
    return "loading" if loading else "ready"


def _server(folder: Path, found: Record) -> EmbeddedServer:
    path = Path(found.socket)
    return EmbeddedServer(_url(path), path, folder, found.pid, found.created, found.clean)


def _record(folder: Path) -> Record | None:
    if not (folder / "server.lock").exists():
        return None
    with usable(), FolderLock(folder) as lock:
        return lock.read()


def _is_held(folder: Path) -> bool:
    if not (folder / "server.lock").exists():
        return False
    with usable(), FolderLock(folder) as lock:
        return lock.is_held()


def _socket_of(folder: Path, found: Record | None) -> Path:
    return Path(found.socket) if found else socket_path(folder)


def _url(path: Path) -> str:
    return "unix://" + quote(os.fsencode(path), safe="/")


def _held(folder: Path, found: Record | None) -> ServerUnavailable:
    who = "a server"
    if found:
        pid = f"pid {found.pid}" if found.pid else "starting"
        who = f"a server on host {found.host} ({pid}, for {seconds(max(0.0, time.time() - found.since))})"
    return ServerUnavailable(
        f"{who} holds {folder} but does not answer on {_socket_of(folder, found)}, so none is started:"
        " stop that one, or set SEMAPHORES_URL"
    )
