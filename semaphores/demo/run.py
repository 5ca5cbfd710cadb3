"""Run: the demo from its first process to its last key.

Invariant: whatever ends it (its work, Ctrl-C, SIGTERM, an error), its workers, keys and files are gone within 2 s.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from types import FrameType

from rich.console import Console

from semaphores.client import Client, connect
from semaphores.demo import keys, library, store
from semaphores.demo.crew import Crew, Settings
from semaphores.demo.measure import Held, highest, read_diaries, split_by_room, spread
from semaphores.demo.phases import Kill, Limited, Moment, wait_until_ready, without_limits
from semaphores.demo.report import KillReport, PoolReport, Report, UnlimitedReport, render
from semaphores.demo.view import View, view_for
from semaphores.demo.worker import FREE, LIMITED, PARSE, SQLITE, database
from semaphores.errors import InvalidNumber, SemaphoresError
from semaphores.names import pool_limit

__all__ = ["CAPACITY", "run_demo"]

CAPACITY = {SQLITE: 1, PARSE: 4}  # slots: SQLite has one writer; parsing is to leave the machine some air
WORKERS = 6  # more than 4, so that `parse` has somebody waiting
MOST_WORKERS = 32
FEWEST_FILES = 30  # with fewer there is no middle in which to kill somebody
FREE_SECONDS = 2.0  # long enough to see some hundred writes collide
LIMITED_SECONDS = 12.0  # after which a slow machine gets no further files; checking them takes up to twice as long
TTL = 10.0  # seconds, whatever the environment says: a beat late on a crowded machine loses no lease


class _Told(BaseException):
    """Somebody wants this process to end. `number` is the signal's."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


def run_demo(
    *,
    url: str | None = None,
    workers: int = WORKERS,
    files: int | None = None,
    keep: bool = False,
    as_json: bool = False,
) -> int:
    """Index the standard library with several processes, first without limits, then with; return the exit code.

    `url` as for `connect`; `workers` processes (3 to 32); `files`: no more than so many (30 or more); `keep` leaves
    keys and files; `as_json` prints one JSON object in place of text. 0: all is right; 1: a limit was exceeded or the
    index is wrong; 130 or 143: told to end by SIGINT or SIGTERM. Raises UsageError, ServerUnavailable, SemaphoresError.
    """
    if not 3 <= workers <= MOST_WORKERS:
        raise InvalidNumber("workers", workers, f"from 3 to {MOST_WORKERS}")
    if files is not None and files < FEWEST_FILES:
        raise InvalidNumber("files", files, f"{FEWEST_FILES} or more")
    console = Console()
    try:
        with _told_by_signals():
            report = _demonstrate(url, workers, files, keep, console, as_json)
    except _Told as told:
        left = "its keys and files are kept" if keep else "so are its keys and files"
        print(f"\nended before it was done: its processes are gone, {left}", file=sys.stderr)
        return 128 + told.number
    if as_json:
        print(json.dumps(asdict(report), indent=2))
    else:
        console.print(render(report), highlight=False, markup=False, soft_wrap=True)
    return 0 if report.ok else 1


@contextmanager
def _told_by_signals() -> Iterator[None]:
    def told(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # cleaning up takes less than 2 s and is not interrupted
        raise _Told(number)

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(eq=False)
class _Stage:
    """What the demo works on."""

    client: Client
    folder: Path
    crew: Crew
    files: Sequence[str]
    view: View
    redis_cli: str
    started: float = field(default_factory=time.monotonic)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def look(self) -> None:
        """Keep what redis-cli shows of the holder of `sqlite` now."""
        for held in self.client.leases(pool_limit(SQLITE)):
            for command in keys.held_by(self.client, held.session):
                self.seen.append((keys.command_line(self.redis_cli, command), keys.look(self.client, command)))


def _demonstrate(
    url: str | None, workers: int, files: int | None, keep: bool, console: Console, as_json: bool
) -> Report:
    sources = [str(path) for path in library.source_files()]
    if len(sources) < FEWEST_FILES:
        raise SemaphoresError(f"there are only {len(sources)} Python files in {library.home()}: nothing to index")
    namespace = f"demo-{token_hex(4)}"
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="semaphores-demo-"))
        if not keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        client = stack.enter_context(connect(url, namespace=namespace, ttl=TTL, init=True))
        client.status()  # a server that cannot be reached is told of here, and not a second time by cleaning up
        if not keep:
            stack.callback(keys.remove_keys, client)
        redis_cli = keys.redis_cli(client, embedded=not (url or os.environ.get("SEMAPHORES_URL")))
        for pool, capacity in CAPACITY.items():
            client.limits.set(pool_limit(pool), capacity, description="of the demo")
        crew = Crew(Settings(url, namespace, TTL, str(folder)))
        stack.callback(crew.end)
        view = stack.enter_context(view_for(client, console, silent=as_json))
        stage = _Stage(client, folder, crew, sources[:files], view, redis_cli)
        report = _play(stage, workers)
        return replace(report, found=len(sources), kept=str(folder) if keep else None)


def _play(stage: _Stage, workers: int) -> Report:
    view, crew, files = stage.view, stage.crew, stage.files
    for phase in (FREE, LIMITED):
        store.create(database(stage.folder, phase))
    view.say(f"starting {workers} processes; limits in namespace {stage.client.connections.namespace}")
    crew.start(workers)
    wait_until_ready(crew)
    view.begin(f"{workers} processes index {library.home()} into one SQLite database, without limits", 0)
    moment = without_limits(crew, files, FREE_SECONDS, view.show)
    view.say(f"'database is locked' {moment.locked} times in {moment.tried} files")
    title = ", ".join(f"{pool} {capacity}" for pool, capacity in CAPACITY.items())
    view.begin(f"the same {len(files)} files with limits: {title}", len(files))
    limited = Limited(crew, stage.client, files, LIMITED_SECONDS, stage.look, view.say)
    limited.run(view.show)
    crew.end()
    view.say("all processes ended; one process alone checks every file")
    return _report(stage, workers, moment, limited)


def _report(stage: _Stage, workers: int, moment: Moment, limited: Limited) -> Report:
    free = read_diaries(stage.folder, FREE, stage.crew.killed)
    held = read_diaries(stage.folder, LIMITED, stage.crew.killed)
    pools = [_pool_report(pool, capacity, held) for pool, capacity in CAPACITY.items()]
    kill = _kill_report(limited.kill, held) if limited.kill else None
    wrong, symbols = _compare(database(stage.folder, LIMITED), limited.done)
    problems = [
        *(
            f"{pool.highest} at once in {pool.name!r} of {pool.capacity}"
            for pool in pools
            if pool.highest > pool.capacity
        ),
        *([f"'database is locked' {limited.locked} times with limits"] if limited.locked else []),
        *(["no holder was killed"] if kill is None else []),
        *(["the killed holder's slot was never granted again"] if kill and kill.granted_after is None else []),
        *(["the killed holder's file was not done again"] if kill and kill.redone_by is None else []),
        *wrong,
    ]
    in_use = {pool: highest(one for one in free if one.pool == pool) for pool in CAPACITY}
    return Report(
        server=stage.client.connections.endpoint.redacted,
        namespace=stage.client.connections.namespace,
        library=str(library.home()),
        workers=workers,
        cores=os.cpu_count() or 1,
        found=len(stage.files),
        files=len(limited.done),
        symbols=symbols,
        seconds=limited.seconds,
        total_seconds=time.monotonic() - stage.started,
        stopped_early=limited.handed_out < len(stage.files),
        locked=limited.locked,
        lost=limited.lost,
        unlimited=UnlimitedReport(moment.seconds, moment.tried, moment.locked, in_use),
        pools=pools,
        kill=kill,
        problems=problems,
        commands=keys.to_look_at(stage.client, stage.redis_cli),
        seen=stage.seen,
        ok=not problems,
    )


def _pool_report(name: str, capacity: int, held: Sequence[Held]) -> PoolReport:
    of_pool = [one for one in held if one.pool == name]
    at_once, waited = split_by_room(of_pool, capacity)
    return PoolReport(name, capacity, highest(of_pool), spread(at_once), spread(waited))


def _kill_report(kill: Kill, held: Sequence[Held]) -> KillReport:
    later = [one.granted for one in held if one.pool == SQLITE and one.granted > kill.at]
    after = (min(later) - kill.at) / 1e9 if later else None
    return KillReport(kill.pid, kill.lease, kill.file, kill.waiting, after, kill.redone_by)


def _compare(index: Path, done: dict[str, int]) -> tuple[list[str], int]:
    """Return what is wrong with the index, and how many symbols it has: each file is parsed again by this process."""
    stored = store.symbols_by_file(index)
    wrong = [f"{file}: in the index, but never reported as done" for file in stored.keys() - done.keys()]
    for file in done:
        expected, (announced, there) = len(library.symbols_of(Path(file))), stored.get(file, (-1, 0))
        if not expected == announced == there:
            wrong.append(f"{file}: {there} symbols in the index, {expected} found by one process alone")
    return wrong, sum(there for _, there in stored.values())
