"""Jobs that the tests run. Child processes import this module by its name."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from workers import context, job, multiprocess, op


@op
async def empty() -> None: ...


@job(ops=[empty])
def nothing() -> None: ...


@op
def first(day: str = "today") -> dict[str, object]:
    return {"day": day, "pair": (1, 2), "at": datetime(2026, 1, 1, tzinfo=UTC)}


@op
async def second(first: dict[str, object]) -> list[object]:
    return [first["day"], first["pair"], first["at"] == datetime(2026, 1, 1, tzinfo=UTC), os.getpid()]


@job(ops=[first, second], executor=multiprocess(max_concurrent=2))
def two() -> None: ...


@op
def act(what: str, folder: str = "") -> object:
    """Do one of many things, as a test wants it."""
    return globals()[f"_{what}"](Path(folder))


@job(ops=[act], executor=multiprocess())
def acting() -> None: ...


@op(retries=2)
def flaky(folder: str) -> int:
    tries = Path(folder, "tries")
    count = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (count + 1))
    if count < 2:
        os._exit(7)
    return context().attempt


@job(ops=[flaky], executor=multiprocess())
def retrying() -> None: ...


def _pid(folder: Path) -> int:
    return os.getpid()


def _say(folder: Path) -> None:
    print("printed")
    print("to stderr", file=sys.stderr)
    logging.getLogger("some.library").warning("logged %d", 1)
    context().log("told\ntwice")
    subprocess.run([sys.executable, "-c", "print('from below')"], check=True)


def _about(folder: Path) -> list[object]:
    found = context()
    return [found.run, found.job, found.op, found.attempt, found.run_attempt, dict(found.tags)]


def _die(folder: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _chatter(folder: Path) -> None:
    _note(folder, "pids", str(os.getpid()))
    try:
        while True:
            context().log("x" * 50_000)
    finally:
        context().log("cleaned up")


def _exit(folder: Path) -> None:
    os._exit(3)


def _leave(folder: Path) -> None:
    raise SystemExit(4)


def _fail(folder: Path) -> None:
    raise ValueError("bad\nvalue")


def _object(folder: Path) -> object:
    return {"inside": [object()]}


def _big(folder: Path) -> str:
    return "x" * (1 << 20)


def _orphan(folder: Path) -> int:
    return subprocess.Popen(["sleep", "60"]).pid  # noqa: S607


def _forget(folder: Path) -> int:
    left = subprocess.Popen(["true"])
    os.waitid(os.P_PID, left.pid, os.WEXITED | os.WNOWAIT)
    return os.getpid()


def _detach(folder: Path) -> int:
    command = ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


def _thread(folder: Path) -> int:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return os.getpid()


def _wait(folder: Path) -> None:
    """Until it is ended; with a grandchild that left the session and ignores SIGTERM."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    deaf = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    assert deaf.stdout
    deaf.stdout.readline()
    _note(folder, "pids", f"{os.getpid()} {deaf.pid}")
    try:
        time.sleep(60)
    finally:
        _note(folder, "finally", "ran")


def _deaf(folder: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _note(folder, "pids", str(os.getpid()))
    time.sleep(60)


def _grip(folder: Path) -> None:
    """Never let go of the interpreter's lock."""
    _note(folder, "pids", str(os.getpid()))
    max(itertools.repeat(0))


def _note(folder: Path, name: str, text: str) -> None:
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / name)


@op
async def sleeper(folder: str) -> None:
    import asyncio

    _note(Path(folder), "pids", str(os.getpid()))
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        _note(Path(folder), "finally", "ran")


@job(ops=[sleeper], executor=multiprocess())
def sleeping() -> None: ...


@op(pool="database")
def pooled_op(folder: str) -> None:
    _note(Path(folder), "pids", str(os.getpid()))
    time.sleep(60)


@op
def beside() -> None: ...


@job(ops=[pooled_op, beside], executor=multiprocess())
def pooled() -> None: ...
