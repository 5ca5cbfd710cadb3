"""Server: one of the kind that ships with the library, on a Unix socket in a folder of its own, keeping nothing.

Invariant: it ends with the process that started it, whatever ends that, and leaves no folder behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

if TYPE_CHECKING:
    from semaphores.client import Client

__all__ = ["BINARY", "ThrowawayServer", "fresh_client", "throwaway_server"]

BINARY = "SEMAPHORES_TEST_SERVER"  # in the environment: another program, such as /usr/bin/redis-server
START_TIMEOUT = 20.0  # seconds; usually 30 ms
STOP_TIMEOUT = 10.0
LONGEST_SOCKET = 100  # bytes; macOS stops at 103
SETTINGS = (
    *("--port", "0", "--unixsocketperm", "700", "--save", "", "--appendonly", "no"),
    *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
)
# `read` ends when we close our end of the pipe, or when we are gone: then nobody else would end the server
KEEPER = """\
folder=$1; shift; exec 3<&0
"$@" & server=$!
(read -r _ <&3; kill "$server") & watch=$!
wait "$server"; code=$?
kill "$watch" 2>/dev/null
rm -rf -- "$folder"
exit "$code"
"""


@dataclass(frozen=True, slots=True)
class ThrowawayServer:
    """A server that runs until its block is left."""

    folder: Path  # its socket and its log
    socket: Path

    @property
    def url(self) -> str:
        """As SEMAPHORES_URL takes it."""
        return f"unix://{self.socket}"


@contextmanager
def throwaway_server() -> Iterator[ThrowawayServer]:
    """Run a server while the block runs. Raises ServerUnavailable when it does not start.

    It is the one that ships with this library, or the one that SEMAPHORES_TEST_SERVER names.
    """
    folder = _short_folder()
    server = ThrowawayServer(folder, folder / "s")
    command = [_binary(), *SETTINGS, "--dir", str(folder), "--unixsocket", str(server.socket)]
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "sh", str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests: they still need it to clean up
        )
        with process:
            try:
                _wait_until_it_answers(server, process, log)
                yield server
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(STOP_TIMEOUT)


@contextmanager
def fresh_client(url: str) -> Iterator[Client]:
    """Connect to a namespace that nobody used before, ready at once, while the block runs.

    Meanwhile SEMAPHORES_URL and SEMAPHORES_NAMESPACE name it, for `pool` and `acquire` without a client and for the
    processes that the block starts; SEMAPHORES_CONFIG and SEMAPHORES_TTL are out of force.
    """
    from semaphores.client import connect
    from semaphores.connecting import connecting_anew
    from semaphores.scripts.commands import Revoke
    from semaphores.session.process import user

    here = {"SEMAPHORES_URL": url, "SEMAPHORES_NAMESPACE": f"test-{uuid4().hex[:16]}"}
    without = ("SEMAPHORES_CONFIG", "SEMAPHORES_TTL")
    with _environment(here, without), connecting_anew(), connect(init=True) as client:
        client.connections.command(Revoke("none/0", user()))  # makes the namespace, and changes nothing else
        yield client


@contextmanager
def _environment(here: dict[str, str], without: tuple[str, ...]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*here, *without)}
    try:
        for name in without:
            os.environ.pop(name, None)
        os.environ.update(here)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _binary() -> str:
    from semaphores.server.launch import find_binary

    return os.environ.get(BINARY) or str(find_binary())


def _short_folder() -> Path:
    """A folder in which the path of a socket is short enough for the system."""
    folder = tempfile.mkdtemp(prefix="sem-")
    if len(os.fsencode(folder)) + 2 <= LONGEST_SOCKET:
        return Path(folder)
    Path(folder).rmdir()
    return Path(tempfile.mkdtemp(prefix="sem-", dir="/tmp"))


def _wait_until_it_answers(server: ThrowawayServer, process: subprocess.Popen[bytes], log: BinaryIO) -> None:
    from semaphores.errors import ServerUnavailable

    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(server.socket):
        if process.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            said = " ".join(log.read().decode(errors="replace").split()) or "it said nothing"
            raise ServerUnavailable(f"the test server did not start: {said}")
        time.sleep(0.005)  # a server tells nobody that it is ready


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
