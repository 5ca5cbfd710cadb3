"""Workers that are killed or frozen, as processes: their slots come back in time and not before, their runs once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from semaphores import Client, connect
from tests.scenarios.agreement import disagreements
from tests.scenarios.sleeping import sleeping
from tests.servers import Server
from workers.submit import submit

MODULE = Path(__file__).with_name("sleeping.py")
PATIENCE = 20.0  # seconds: a worker process starts within one, on a machine with nothing else to do


def until(what: Callable[[], bool], patience: float = PATIENCE) -> float:
    """Wait for what another process does; returns the seconds that it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + patience, f"not within {patience} s"
        time.sleep(0.005)
    return time.monotonic() - began


@contextmanager
def worker(server: Server, namespace: str, folder: Path, ttl: float) -> Iterator[subprocess.Popen[str]]:
    """Run a worker process with one seat, ready when the block begins."""
    environment = {
        **os.environ,
        "SEMAPHORES_URL": server.url,
        "SEMAPHORES_NAMESPACE": namespace,
        "SEMAPHORES_TTL": str(ttl),
        "SCENARIO_FOLDER": str(folder),
    }
    command = [sys.executable, "-m", "semaphores", "worker", str(MODULE), "--concurrency", "1"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready"), "the worker did not start"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def has_begun(folder: Path, process: subprocess.Popen[str]) -> bool:
    return (folder / f"begun-{process.pid}").exists()


def used(client: Client) -> int:
    return client.limits.get("runs").used


def test_the_run_of_a_killed_worker_begins_elsewhere_within_two_seconds(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    """Closes: a SIGKILL leaves the slot claimed and the run in progress for good. T is 10 s: its death is certain."""
    with connect(server.url, namespace=namespace, init=True) as client:
        client.limits.set("runs", 1)
        with worker(server, namespace, tmp_path, 10) as killed, worker(server, namespace, tmp_path, 10) as other:
            submit(sleeping, client=client, run="r1")
            first, second = (
                (killed, other)
                if until(lambda: any(tmp_path.iterdir())) and has_begun(tmp_path, killed)
                else (
                    other,
                    killed,
                )
            )
            assert used(client) == 1
            first.kill()
            first.wait()
            took = until(lambda: has_begun(tmp_path, second))
            assert took <= 2.0, f"{took:.2f} s"
            assert used(client) == 1
            (tmp_path / "go").touch()
            until(lambda: client.runs.get("r1").run.status == "SUCCESS")
            assert client.runs.get("r1").run.attempt == 2
            assert used(client) == 0
    with server.client() as raw:
        assert disagreements(raw, namespace) == []


def test_a_frozen_worker_loses_its_run_after_its_time_and_can_neither_finish_nor_hold_it_when_it_wakes(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    """Closes: a resumed stale worker ends a run that another one works on. Late writes are refused by token."""
    with connect(server.url, namespace=namespace, ttl=1, init=True) as client:
        client.limits.set("runs", 1)
        with worker(server, namespace, tmp_path, 1) as frozen:
            submit(sleeping, client=client, run="r1")
            until(lambda: has_begun(tmp_path, frozen))
            with worker(server, namespace, tmp_path, 1) as other:
                frozen.send_signal(signal.SIGSTOP)
                took = until(lambda: has_begun(tmp_path, other))
                assert 0.4 <= took <= 2.5, f"{took:.2f} s, with T 1 s"
                frozen.send_signal(signal.SIGCONT)
                time.sleep(0.5)  # whatever it still wants to say
                run = client.runs.get("r1").run
                assert (run.status, run.attempt) == ("STARTED", 2)
                assert used(client) == 1
                (tmp_path / "go").touch()  # both ops end now
                until((tmp_path / f"ended-{frozen.pid}").exists)
                until(lambda: client.runs.get("r1").run.status == "SUCCESS")
                run = client.runs.get("r1").run
                assert (run.status, run.attempt, run.worker is not None) == ("SUCCESS", 2, True)
                assert str(other.pid) in str(run.worker)
                assert used(client) == 0
