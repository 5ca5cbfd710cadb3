"""The demo: what it claims is what happened, it finds what is wrong, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

import psutil
import pytest
import redis

from semaphores import connect
from semaphores.demo.library import Symbol, source_files, symbols_of
from semaphores.demo.measure import Diary, Held, highest, read_diaries, split_by_room, spread
from semaphores.demo.store import DatabaseLocked, Store, create, symbols_by_file
from tests.servers import Server

FILES = 40
ENDS_WITHIN = 2.0  # seconds from a signal until the last worker is gone


class Demo:
    """Starts demos against the test server, each with a folder for temporary files of its own."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder

    def start(self, *words: str, url: str | None = None) -> subprocess.Popen[str]:
        environment = {**os.environ, "SEMAPHORES_URL": url or self.server.url, "TMPDIR": str(self.folder)}
        return subprocess.Popen(
            [sys.executable, "-m", "semaphores", "demo", "--files", str(FILES), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def run(self, *words: str, url: str | None = None) -> tuple[int, str, str]:
        with self.start(*words, url=url) as process:
            out, errors = process.communicate(timeout=100)
            return process.returncode, out, errors

    def left_keys(self) -> list[str]:
        with self.server.client() as client:
            return [str(key) for key in client.scan_iter("sem:{demo-*", 1000)]


@pytest.fixture
def demo(server: Server, tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(server, tmp_path)
    yield demo
    with server.client() as client:
        for key in demo.left_keys():
            client.delete(key)


def section(report: Mapping[str, object], name: str) -> dict[str, object]:
    return cast(dict[str, object], report[name])


def test_the_demo_indexes_every_file_under_its_limits_though_a_holder_is_killed(demo: Demo) -> None:
    code, out, errors = demo.run("--json")
    assert code == 0, f"{out}\n{errors}"
    report = json.loads(out)
    assert report["ok"]
    assert report["problems"] == []
    assert report["files"] == FILES
    assert report["symbols"] == sum(len(symbols_of(path)) for path in source_files()[:FILES])
    pools = {pool["name"]: pool for pool in report["pools"]}
    assert pools["sqlite"]["highest"] == pools["sqlite"]["capacity"] == 1
    assert 1 <= pools["parse"]["highest"] <= pools["parse"]["capacity"] == 4
    for pool in pools.values():
        grants = sum(one["count"] for one in (pool["at_once"], pool["waited"]) if one)
        assert grants >= FILES, f"{pool['name']}: each file takes a slot"
    unlimited = section(report, "unlimited")
    assert cast(int, unlimited["tried"]) > 0
    kill = section(report, "kill")
    assert kill["lease"], "the server knew the killed process as the holder"
    assert kill["redone_by"] not in (None, kill["pid"]), "somebody else did its file"
    assert cast(float, kill["granted_after"]) < 11.0, "its slot is granted again within T + 1 s, whatever happens"
    assert demo.left_keys() == []
    assert list(demo.folder.iterdir()) == []


def test_a_kept_demo_can_be_looked_at_with_the_commands_it_prints(demo: Demo) -> None:
    code, out, errors = demo.run("--json", "--keep")
    assert code == 0, f"{out}\n{errors}"
    report = json.loads(out)
    folder = Path(report["kept"])
    assert sum(there for _, there in symbols_by_file(folder / "limited.sqlite").values()) == report["symbols"]
    with demo.server.client() as client:
        assert client.hgetall(f"sem:{{{report['namespace']}}}:limits") == {"pool:sqlite": "1", "pool:parse": "4"}
    assert all(str(demo.server.socket) in command for command in report["commands"])
    assert not [command for command, _ in report["seen"] if "-a" in command.split()]


def test_plain_lines_tell_what_happens_and_other_namespaces_stay_as_they_are(
    demo: Demo, namespace: str, raw: redis.Redis
) -> None:
    raw.hset(f"sem:{{{namespace}}}:limits", "pool:sqlite", 7)
    code, out, errors = demo.run()
    assert raw.hgetall(f"sem:{{{namespace}}}:limits") == {"pool:sqlite": "7"}
    assert code == 0, f"{out}\n{errors}"
    assert "\x1b" not in out
    for told in ("without limits", "SIGKILL to pid", "highest seen", "symbols", "redis-cli", "no limit was exceeded"):
        assert told in out


def read_until(process: subprocess.Popen[str], told: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if told in line:
            return line
    raise AssertionError(f"it ended and never told {told!r}")


def test_a_limit_that_was_exceeded_makes_the_demo_fail(demo: Demo) -> None:
    with demo.start() as process:
        name = read_until(process, "limits in namespace").split()[-1]
        with connect(demo.server.url, namespace=name) as client:
            client.limits.set("pool:sqlite", 6)  # behind its back
        out, errors = process.communicate(timeout=100)
    assert process.returncode == 1, errors
    assert "PROBLEM" in out
    assert "at once in 'sqlite' of 1" in out
    assert "no limit was exceeded" not in out


@pytest.mark.parametrize(("how", "when"), [(signal.SIGINT, "without limits"), (signal.SIGTERM, "with limits")])
def test_a_signal_ends_every_worker_within_two_seconds_and_leaves_nothing(
    demo: Demo, how: signal.Signals, when: str
) -> None:
    with demo.start() as process:
        read_until(process, when)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) == 6
        process.send_signal(how)
        told = time.monotonic()
        gone, alive = psutil.wait_procs(workers, timeout=10)
        took = time.monotonic() - told
        _, errors = process.communicate(timeout=20)
    assert not alive
    assert took < ENDS_WITHIN, f"the last of {len(gone)} workers was gone after {took:.2f} s"
    assert process.returncode == 128 + how
    assert "Traceback" not in errors
    assert demo.left_keys() == []
    assert list(demo.folder.iterdir()) == []


def test_workers_end_by_themselves_when_the_demo_is_killed(demo: Demo) -> None:
    with demo.start() as process:
        read_until(process, "without limits")
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_no_server_is_told_in_one_line(demo: Demo) -> None:
    code, _, errors = demo.run(url=f"unix://{demo.folder}/nobody")
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "cannot reach" in errors


@pytest.mark.parametrize("words", [("--files", "3"), ("--workers", "1"), ("--workers", "500")])
def test_numbers_out_of_range_are_refused_in_one_line(demo: Demo, words: tuple[str, str]) -> None:
    code, _, errors = demo.run(*words)
    assert code == 2
    assert len(errors.strip().splitlines()) == 1
    assert "cannot be" in errors


# what it measures with


def held(pool: str, called: int, granted: int, left: int, released: int | None = None) -> Held:
    return Held(pool, 1, called, granted, left, released or left)


def test_the_sweep_catches_one_holder_too_many() -> None:
    one_after_the_other = [held("p", 0, 0, 10), held("p", 0, 10, 20)]
    assert highest(one_after_the_other) == 1
    assert highest([*one_after_the_other, held("p", 0, 9, 11)]) == 2
    assert highest([]) == 0


def test_a_wait_is_told_from_a_grant_with_room() -> None:
    at_once, waited = split_by_room([held("p", 0, 1, 10), held("p", 5, 12, 20), held("p", 30, 31, 40)], 1)
    assert at_once == [pytest.approx(1e-9)] * 2
    assert waited == [pytest.approx(7e-9)]


def test_percentiles_are_of_the_nearest_rank() -> None:
    of_hundred = spread(float(span) for span in range(100, 0, -1))
    assert of_hundred is not None
    assert (of_hundred.count, of_hundred.p50, of_hundred.p99) == (100, 50.0, 99.0)
    assert spread([]) is None


def test_a_killed_worker_held_until_it_was_killed(tmp_path: Path) -> None:
    diary = Diary(tmp_path, "limited", 7)
    called = time.monotonic_ns()
    diary.granted("parse", called)
    diary.released("parse", time.monotonic_ns())
    diary.granted("sqlite", called)
    killed = time.monotonic_ns()
    found = {one.pool: one for one in read_diaries(tmp_path, "limited", {7: killed})}
    assert found["parse"].left <= found["parse"].released <= killed
    assert found["sqlite"].left == found["sqlite"].released == killed


def test_sqlite_has_one_writer_and_a_loser_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index"
    create(path)
    symbols = [Symbol("f", "def", 1), Symbol("C", "class", 2)]
    first, second = Store(path), Store(path)

    def write_at_the_same_time() -> None:
        with pytest.raises(DatabaseLocked):
            second.write(Path("b.py"), symbols, lambda: None)

    first.write(Path("a.py"), symbols, write_at_the_same_time)
    first.write(Path("a.py"), symbols, lambda: None)
    first.close()
    second.close()
    assert symbols_by_file(path) == {"a.py": (2, 2)}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM symbols").fetchone() == (2,)


def test_symbols_carry_their_dotted_names(tmp_path: Path) -> None:
    source = tmp_path / "some.py"
    source.write_text("class A:\n    async def b(self):\n        def c(): ...\nif 1:\n    def d(): ...\n")
    assert [(one.name, one.kind, one.line) for one in symbols_of(source)] == [
        ("A", "class", 1),
        ("A.b", "async def", 2),
        ("A.b.c", "def", 3),
        ("d", "def", 5),
    ]
    source.write_text("def broken(:\n")
    assert symbols_of(source) == []


def test_the_library_is_the_one_of_this_interpreter() -> None:
    files = source_files()
    assert Path(os.__file__) in files
    assert not [file for file in files if "site-packages" in file.parts]
