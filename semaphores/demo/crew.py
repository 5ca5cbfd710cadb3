"""Crew: the worker processes as their parent sees them: started, given files, listened to, killed, ended.

Invariants: a worker has one task at a time, and whoever dies leaves it to another; no worker outlives `end`.
They are process groups of their own, so that Ctrl-C reaches the parent alone, which ends them.
"""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Literal

import semaphores
from semaphores.errors import SemaphoresError

__all__ = ["Crew", "Event", "Member", "Settings", "Task"]

END_PATIENCE = 1.2  # seconds from SIGTERM to SIGKILL; together with the rest, all are gone within 2 s

Kind = Literal["ready", "done", "locked", "lost", "holding", "failed", "gone"]
_KINDS: tuple[Kind, ...] = ("ready", "done", "locked", "lost", "holding", "failed")


@dataclass(frozen=True, slots=True)
class Settings:
    """What every worker is told when it starts."""

    url: str | None  # not on the command line: it may hold a password
    namespace: str
    ttl: float  # seconds
    folder: str


@dataclass(frozen=True, slots=True)
class Task:
    """One file to index. `doomed`: stop while holding the sqlite slot, to be killed."""

    phase: str
    file: str
    doomed: bool = False


@dataclass(slots=True, eq=False)
class Member:
    """One worker."""

    number: int
    process: subprocess.Popen[bytes]
    task: Task | None = None
    heard: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """What a worker said, or that it is gone."""

    member: Member
    kind: Kind
    task: Task | None = None  # what it is about
    symbols: int = 0
    text: str = ""


@dataclass(eq=False)
class Crew:
    """All workers of one demo."""

    settings: Settings
    members: list[Member] = field(default_factory=list)  # who lives
    killed: dict[int, int] = field(default_factory=dict)  # when, monotonic ns, by number
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, size: int) -> None:
        """Start workers; each says `ready` when it is."""
        root = str(Path(semaphores.__file__).parents[1])
        # -P and a path of our own: a file called json.py where the user stands is not ours to import.
        code = f"import sys; sys.path.append({root!r}); from semaphores.demo.worker import main; main()"
        for number in range(1, size + 1):
            with Path(self.settings.folder, f"worker-{number}.log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", code],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    process_group=0,
                )
            member = Member(number, process)
            self.members.append(member)
            self._selector.register(_pipe(process.stdout), selectors.EVENT_READ, member)
            self._tell(member, {**asdict(self.settings), "number": number})

    def idle(self) -> list[Member]:
        """Return who has nothing to do."""
        return [member for member in self.members if member.task is None]

    def give(self, member: Member, task: Task) -> None:
        """Give an idle worker something to do."""
        member.task = task
        self._tell(member, asdict(task))

    def events(self, timeout: float) -> list[Event]:
        """Return what was said, waiting up to `timeout` seconds for it."""
        found: list[Event] = []
        for key, _ in self._selector.select(timeout):
            member: Member = key.data
            data = _pipe(member.process.stdout).read(65536)  # unbuffered: what is there
            if not data:
                found.append(self._gone(member))
                continue
            *lines, member.heard = (member.heard + data).split(b"\n")
            found += [_event(member, json.loads(line)) for line in lines]
        return found

    def kill(self, member: Member) -> int:
        """End a worker as a crash does; return when, in monotonic ns."""
        now = self.killed[member.number] = time.monotonic_ns()
        member.process.kill()
        return now

    def end(self) -> None:
        """End all workers: they give back what they hold, and are killed if they take too long."""
        for member in self.members:
            if member.process.poll() is None:
                member.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + END_PATIENCE
        for member in self.members:
            try:
                member.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
            _close(member)
        self.members.clear()
        self._selector.close()

    def _gone(self, member: Member) -> Event:
        self._selector.unregister(_pipe(member.process.stdout))
        self.members.remove(member)
        member.process.wait()
        _close(member)
        return Event(member, "gone", member.task, text=self._last_words(member))

    def _last_words(self, member: Member) -> str:
        log = Path(self.settings.folder, f"worker-{member.number}.log").read_text(errors="replace").splitlines()
        return log[-1] if log else f"exit code {member.process.returncode}"

    def _tell(self, member: Member, facts: dict[str, object]) -> None:
        with suppress(BrokenPipeError):  # it is gone, which `events` tells with its task
            _pipe(member.process.stdin).write(json.dumps(facts).encode() + b"\n")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise SemaphoresError("a worker was started without pipes")
    return pipe


def _close(member: Member) -> None:
    for pipe in (member.process.stdin, member.process.stdout):
        _pipe(pipe).close()


def _event(member: Member, facts: dict[str, object]) -> Event:
    kind = next(kind for kind in _KINDS if kind in facts)
    task, symbols = member.task, facts.get("symbols")
    if kind in ("done", "locked", "lost"):
        member.task = None
    text = str(facts["failed"] if kind == "failed" else facts.get("text", ""))
    return Event(member, kind, task, symbols if isinstance(symbols, int) else 0, text)
