"""Phases: how the parent hands out files: first without limits for a moment, then with, one holder being killed.

Invariant: with limits, every file that was handed out is indexed in the end, whoever dies or loses a lease meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from semaphores.client import Client
from semaphores.demo.crew import Crew, Event, Member, Task
from semaphores.demo.library import module_path
from semaphores.demo.worker import FREE, LIMITED, SQLITE
from semaphores.errors import SemaphoresError
from semaphores.names import pool_limit

__all__ = ["Kill", "Limited", "Moment", "Show", "wait_until_ready", "without_limits"]

READY_PATIENCE = 60.0  # seconds for all workers to start; 0.5 s each on an idle core, 8 s were seen on a crowded one
HOLDING_PATIENCE = 1.0  # seconds that we wait for somebody to stand in line before the holder is killed
LOOK = 0.02  # seconds between two looks at the line of the doomed holder

Show = Callable[[int], None]  # told how many files are done, several times a second


@dataclass(slots=True)
class Moment:
    """What happened without limits."""

    tried: int = 0
    locked: int = 0
    seconds: float = 0.0

    @property
    def indexed(self) -> int:
        return self.tried - self.locked


@dataclass(slots=True)
class Kill:
    """The holder that was killed."""

    pid: int
    file: str
    lease: str  # id of the lease it held; empty when the server showed none
    at: int  # monotonic ns
    waiting: int  # in line for its slot at that moment
    redone_by: int | None = None  # pid of who did its file


def wait_until_ready(crew: Crew) -> None:
    """Wait until every worker is. Raises SemaphoresError."""
    deadline, missing = time.monotonic() + READY_PATIENCE, len(crew.members)
    while missing:
        if time.monotonic() > deadline:
            raise SemaphoresError(f"{missing} workers did not start within {READY_PATIENCE:g} s")
        for event in crew.events(0.2):
            _raise_failed(event)
            missing -= event.kind == "ready"


def without_limits(crew: Crew, files: Sequence[str], seconds: float, show: Show) -> Moment:
    """Index for a moment as if nobody else wrote. Files that could not be written stay unwritten."""
    moment, started, source = Moment(), time.monotonic(), cycle(files)
    while True:
        over = time.monotonic() - started >= seconds
        for member in () if over else crew.idle():
            crew.give(member, Task(FREE, next(source)))
        if over and len(crew.idle()) == len(crew.members):
            moment.seconds = time.monotonic() - started
            return moment
        for event in crew.events(0.2):
            _raise_failed(event)
            moment.tried += 1
            moment.locked += event.kind == "locked"
        show(moment.indexed)


@dataclass(eq=False)
class Limited:
    """The run with limits."""

    crew: Crew
    client: Client
    files: Sequence[str]
    most_seconds: float  # after which no further file is handed out
    look: Callable[[], None]  # called while the doomed holder holds
    say: Callable[[str], None]
    done: dict[str, int] = field(default_factory=dict)  # symbols by file
    locked: int = 0
    lost: int = 0
    handed_out: int = 0
    seconds: float = 0.0
    kill: Kill | None = None
    _todo: deque[str] = field(default_factory=deque)
    _doomed: Member | None = None
    _holding_since: float | None = None

    def run(self, show: Show) -> None:
        """Index every file, and kill whoever holds the sqlite slot after a third of them. Raises SemaphoresError."""
        self._todo.extend(self.files)
        self.handed_out, started = len(self.files), time.monotonic()
        while len(self.done) < self.handed_out:
            if time.monotonic() - started > self.most_seconds and self.kill is not None:
                self._stop_handing_out()
            self._give(time.monotonic() - started)
            for event in self.crew.events(LOOK if self._holding_since else 0.2):
                self._hear(event)
            if self._doomed is not None and self._holding_since is not None:
                self._kill_in_time(self._doomed, self._holding_since)
            show(len(self.done))
        self.seconds = time.monotonic() - started

    def _give(self, elapsed: float) -> None:
        due = len(self.done) >= self.handed_out // 3 or elapsed > self.most_seconds / 3
        for member in self.crew.idle():
            if not self._todo:
                return
            doomed = due and self._doomed is None and self.kill is None
            if doomed:
                self._doomed = member
            self.crew.give(member, Task(LIMITED, self._todo.popleft(), doomed))

    def _stop_handing_out(self) -> None:
        """Leave out what nobody has begun; what a dead worker left undone stays in the line."""
        begun = {member.task.file for member in self.crew.members if member.task}
        owed = {self.kill.file} if self.kill and self.kill.file not in self.done else set()
        for file in [file for file in self._todo if file not in owed]:
            self._todo.remove(file)
        self.handed_out = len(self.done.keys() | begun | owed)

    def _hear(self, event: Event) -> None:
        _raise_failed(event, gone_is_failure=event.member.number not in self.crew.killed)
        task = event.task
        if task is None:
            return
        if event.kind == "done":
            self.done[task.file] = event.symbols
            if self.kill and task.file == self.kill.file:
                self.kill.redone_by = event.member.process.pid
                self.say(
                    f"pid {event.member.process.pid} has done the file that the dead one left: {module_path(task.file)}"
                )
        elif event.kind == "holding":
            self._holding_since = time.monotonic()
        else:
            self.locked += event.kind == "locked"
            self.lost += event.kind == "lost"
            self._todo.appendleft(task.file)
        if task.doomed and event.kind in ("locked", "lost", "done"):
            self._doomed = None  # it never came to hold the slot: another one will

    def _kill_in_time(self, member: Member, since: float) -> None:
        """Kill the holder once somebody waits for its slot, so that the time to the next grant is not theirs."""
        limit = next((one for one in self.client.status() if one.limit == pool_limit(SQLITE)), None)
        waiting = limit.waiting if limit else 0
        if member.task is None or (not waiting and time.monotonic() - since < HOLDING_PATIENCE):
            return
        pid, file = member.process.pid, member.task.file
        lease = next((held.id for held in self.client.leases(pool_limit(SQLITE)) if f":{pid}:" in held.holder), "")
        self.look()
        self._doomed = self._holding_since = None
        self.kill = Kill(pid, file, lease, self.crew.kill(member), waiting)
        self.say(f"SIGKILL to pid {pid}, which holds the sqlite slot, its transaction half done; {waiting} wait for it")


def _raise_failed(event: Event, gone_is_failure: bool = True) -> None:
    if event.kind == "failed" or (event.kind == "gone" and gone_is_failure):
        who = f"worker {event.member.number} (pid {event.member.process.pid})"
        raise SemaphoresError(f"{who} ended: {event.text}")
