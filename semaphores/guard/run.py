"""The holder's side of a guarded command: start the guard, send it deadlines and signals, hear how it ended.

Knows no session: the deadline and the loss come as functions. Invariant: `run_guarded` returns only when nothing of
the command is left (as far as the guard reaches: see there), so a lease may be released as soon as it did.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal, Self

from semaphores.errors import UsageError
from semaphores.guard.clock import now
from semaphores.guard.terminal import Terminal

__all__ = ["Outcome", "Reason", "run_guarded", "start_guard"]

Reason = Literal["exited", "terminated", "lease lost", "not executable", "not found", "guard died"]

_LOST, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127  # exit codes, the last two as env(1)

# The guard needs neither site-packages nor the package's own __init__: half the time to start. As a module, unlike as
# a script, it is compiled once.
_FOLDER = str(Path(__file__).resolve().parent.parent)
_BOOT = (
    "import sys; package = type(sys)('semaphores'); package.__path__ = [sys.argv[1]];"
    " sys.modules['semaphores'] = package; from semaphores.guard.guard import main; main()"
)

_FORWARDED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)  # SIGTERM ends the command
_LOOK_EVERY = 0.25  # seconds, at most, from a new deadline or a loss to its news at the guard
_LOOK_SHARE = 8  # looks in what is left of a short lease


@dataclass(frozen=True)
class Outcome:
    """How a guarded command ended.

    `code` is the exit code to pass on: the command's own, 128 + signal if it died of one, 125 when the lease was lost
    before the command ended, 126 not executable, 127 not found. `reason` is "terminated" when this process was told
    to end (SIGTERM) and ended the command. `detail` is one line for people where the code is ours.
    """

    code: int
    reason: Reason
    detail: str = ""


def run_guarded(
    command: Sequence[str],
    *,
    deadline: Callable[[], float],
    lost: Callable[[], str | None],
    env: Mapping[str, str],
    started: Callable[[int], None] = lambda guard: None,
) -> Outcome:
    """Run a command so that nothing of it lives past the deadline, even if this process is killed.

    `deadline` returns until when the lease is certainly held, in seconds on `semaphores.guard.clock.now`; it may grow.
    `lost` returns why the lease is lost, or None. `env` is the command's whole environment; its standard streams and
    the other files it inherits are ours. `started` is told the pid of the guard, which ends only when nothing of the
    command is left. SIGINT, SIGHUP, SIGQUIT and Ctrl-Z go on to the command. On SIGTERM it is ended, with SIGKILL
    after 1.5 s. Signals are handled in the main thread only. What the command leaves
    running when it ends is ended too (SIGTERM, 1 s later SIGKILL), before this returns.

    Raises:
        UsageError: there is no command, or it holds a NUL.
    """
    if not command or any("\0" in word for word in command):
        raise UsageError("there is no command to run: name one after '--'")
    limit, reason = deadline(), lost()
    if reason or now() >= limit:
        return Outcome(_LOST, "lease lost", f"{reason or 'the lease ran out'}; the command was not started")
    ours, theirs = socket.socketpair()
    with ours, _Run(command[0], ours, deadline, lost) as run:
        with theirs:
            try:
                guard = start_guard(command, theirs.fileno(), limit, env, files=_inherited_files())
            except OSError as error:  # as a list of arguments that is too long
                return run.not_started(error.errno or 0)
        started(guard.pid)
        return run.watch(guard, limit)


def start_guard(
    command: Sequence[str],
    link: int,
    limit: float,
    env: Mapping[str, str],
    *,
    files: Sequence[int],
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a guard that starts the command; what it and its holder tell each other over `link` is said in `guard`.

    `limit` is the deadline, `files` the command's besides its standard streams. These are ours, unless its `output` is
    to go elsewhere; then it has no input. Raises OSError.
    """
    arguments = [_FOLDER, str(link), str(os.getpid()), repr(limit), env.get("LC_CTYPE", ""), *command]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _BOOT, *arguments],
        env=dict(env),
        pass_fds=(link, *files),
        process_group=0,  # kill -9 of our own group must not reach it
        stdin=None if output is None else subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _inherited_files() -> list[int]:
    """Return the files that our caller meant for the command, as of `exec -- diff <(a) <(b)`."""
    with os.scandir("/dev/fd") as found:
        return [int(entry.name) for entry in found if int(entry.name) > 2 and _inheritable(int(entry.name))]


def _inheritable(file: int) -> bool:
    try:
        return os.get_inheritable(file)
    except OSError:  # another thread's, closed meanwhile
        return False


class _Run:
    """One guarded command, seen from the holder; as a context, the signals and the terminal that belong to it."""

    def __init__(
        self, name: str, link: socket.socket, deadline: Callable[[], float], lost: Callable[[], str | None]
    ) -> None:
        self._name, self._link, self._deadline, self._lost = name, link, deadline, lost
        self._link.setblocking(False)
        self._terminal: Terminal | None = None
        self._group = 0  # the command's; 0 before it was started and after all was over
        self._loss: str | None = None
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._terminal = Terminal.open()
        if self._terminal is not None:
            self._cleanup.callback(self._terminal.close)
        if threading.current_thread() is threading.main_thread():
            self._cleanup.enter_context(_handlers(self._on_signal, stops=self._terminal is not None))
        return self

    def __exit__(self, *of_error: object) -> None:
        self._cleanup.close()

    def watch(self, guard: subprocess.Popen[bytes], sent: float) -> Outcome:
        """Pass deadlines on until the guard says that all is over."""
        try:
            return self._listen(guard, sent)
        except BaseException:
            self._link.close()  # on which the guard ends all
            guard.wait()
            raise

    def _listen(self, guard: subprocess.Popen[bytes], sent: float) -> Outcome:
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        rest = b""
        while True:
            sent = self._pass_on(sent)
            pause = max(0.02, min(_LOOK_EVERY, (sent - now()) / _LOOK_SHARE))
            if not poll.poll(pause * 1000):
                continue
            came = self._receive()
            *lines, rest = (rest + came).split(b"\n")
            for line in lines:
                word, *values = line.decode().split()
                outcome = self._hear(word, values)
                if outcome is not None:
                    guard.wait()
                    return outcome
            if not came:
                return self._guard_died(guard.wait())

    def not_started(self, number: int) -> Outcome:
        """Return the outcome of a command that could not be started, for this errno."""
        if number == errno.ENOENT:
            return Outcome(_NOT_FOUND, "not found", f"command {self._name!r} was not found")
        return Outcome(_NOT_EXECUTABLE, "not executable", f"command {self._name!r} cannot run: {os.strerror(number)}")

    def _pass_on(self, sent: float) -> float:
        """Tell the guard what is new about the lease. Return the deadline it knows."""
        limit = self._deadline()
        if limit > sent and self._send(f"deadline {limit!r}"):
            sent = limit
        if self._loss is None:
            self._loss = self._lost()
            if self._loss is not None:
                self._send("lost")
        if now() >= limit:
            self._kill_group()  # the guard was there before us, unless somebody stopped it
        return sent

    def _hear(self, word: str, values: list[str]) -> Outcome | None:
        if word == "started":
            self._group = int(values[0])
        elif word == "stopped" and self._terminal is not None:
            self._terminal.answer_stop(self._group, int(values[0]))
            self._send(f"signal {signal.SIGCONT:d}")
        elif word == "failed":
            return self.not_started(int(values[0]))
        elif word == "over":
            self._group = 0
            return self._over(int(values[0]), values[1])
        return None

    def _over(self, code: int, why: str) -> Outcome:
        if why in ("deadline", "lost"):
            loss = self._loss or "its server was not heard of in time"
            return Outcome(_LOST, "lease lost", f"{loss}; command {self._name!r} was stopped")
        return Outcome(128 - code if code < 0 else code, "terminated" if why == "end" else "exited")

    def _guard_died(self, code: int) -> Outcome:
        self._kill_group()
        how = f"of signal {-code}" if code < 0 else f"with exit code {code}"
        detail = f"the guard process died {how}; the process group of command {self._name!r} was killed"
        return Outcome(_LOST, "guard died", detail)

    def _kill_group(self) -> None:
        if self._group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._send("end" if number == signal.SIGTERM else f"signal {number:d}")

    def _send(self, line: str) -> bool:
        try:
            self._link.send(line.encode() + b"\n")
        except OSError:  # full, as somebody stopped the guard: a deadline is sent again; or it died: `watch` sees that
            return False
        return True

    def _receive(self) -> bytes:
        try:
            return self._link.recv(4096)
        except ConnectionError:
            return b""


@contextlib.contextmanager
def _handlers(handler: Callable[[int, FrameType | None], None], *, stops: bool) -> Iterator[None]:
    """Handle the signals that concern the command; one that our caller ignores (nohup) stays ignored."""
    before = {}
    for number in (signal.SIGTERM, *_FORWARDED):
        if signal.getsignal(number) != signal.SIG_IGN and (stops or number != signal.SIGTSTP):
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
