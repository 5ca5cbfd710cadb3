"""Examples with other frameworks, as their users run them: real servers and workers, with a broker of their own.

Each needs its framework, which `make test-examples` installs; without it the test is skipped and says so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from semaphores import Client
from semaphores.testing import ThrowawayServer

FOLDER = Path(__file__).parents[2] / "examples" / "frameworks"
PATIENCE = 90.0  # seconds, on a loaded machine

pytestmark = pytest.mark.timeout(300)


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skip a test by the name of what is not installed."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: make test-examples")


@contextmanager
def running(*words: str | Path, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python in the folder of the examples while the block runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=FOLDER,
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(code: str, **environment: str) -> str:
    """Run a script as a program beside the example would, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER,
        env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    """Return how many were at work at the same time, at most."""
    return max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


def spans_in(text: str) -> list[tuple[float, float]]:
    return [(float(began), float(ended)) for began, ended in re.findall(r"([\d.]+) ([\d.]+)\n", text)]


@needs("fastapi", "uvicorn", "httpx")
def test_an_endpoint_is_limited_across_server_processes(semaphores_client: Client, tmp_path: Path) -> None:
    import httpx

    semaphores_client.limits.set("pool:reports", 1)
    sockets = [tmp_path / "one", tmp_path / "two"]
    one, two = (
        running("uvicorn", "fastapi_endpoint:app", "--uds", path, log=tmp_path / f"{path.name}.log") for path in sockets
    )
    with one, two, ThreadPoolExecutor() as beside:
        for path in sockets:
            until(path.exists, path.with_suffix(".log"))
        first, second = (httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=60) for path in sockets)
        with first, second:
            assert first.get("http://shop/reports/ada").json()["customer"] == "ada"
            slow = beside.submit(first.get, "http://shop/reports/bob?seconds=4")
            until(lambda: semaphores_client.limits.get("pool:reports").used == 1, sockets[0].with_suffix(".log"))
            refused = second.get("http://shop/reports/cyd")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert slow.result().status_code == 200
            assert second.get("http://shop/reports/cyd").status_code == 200


def until(holds: object, log: Path) -> None:
    """Wait until something is so."""
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.05)


@needs("celery")
def test_a_celery_task_is_limited_across_worker_processes(
    semaphores_client: Client, semaphores_server: ThrowawayServer, tmp_path: Path
) -> None:
    semaphores_client.limits.set("pool:partner", 2)
    broker = f"redis+socket://{semaphores_server.socket}"
    log = tmp_path / "log"
    with running("celery", "-A", "celery_task", "worker", "--concurrency", "4", log=log, BROKER_URL=broker):
        code = """
from celery_task import order
for result in [order.delay(number) for number in range(8)]:
    print(*result.get(timeout=60))
"""
        spans = spans_in(ask(code, BROKER_URL=broker))
    assert (len(spans), most_at_once(spans)) == (8, 2), log.read_text()


@needs("dramatiq")
def test_a_dramatiq_actor_is_limited_across_worker_processes(
    semaphores_client: Client, semaphores_server: ThrowawayServer, tmp_path: Path
) -> None:
    semaphores_client.limits.set("pool:mailer", 2)
    broker, log = semaphores_server.url, tmp_path / "log"
    with running("dramatiq", "dramatiq_actor", "--processes", "2", "--threads", "3", log=log, BROKER_URL=broker):
        code = """
from dramatiq_actor import send
for message in [send.send(f"{number}@example.com") for number in range(8)]:
    print(*message.get_result(block=True, timeout=60_000))
"""
        spans = spans_in(ask(code, BROKER_URL=broker))
    assert (len(spans), most_at_once(spans)) == (8, 2), log.read_text()


@needs("dagster")
def test_ops_of_a_dagster_job_are_limited_across_their_processes(semaphores_client: Client, tmp_path: Path) -> None:
    semaphores_client.limits.set("pool:warehouse", 1)
    log = tmp_path / "log"
    words = ("dagster", "job", "execute", "-f", "dagster_op.py", "-j", "load_all")
    with running(*words, log=log, DAGSTER_HOME=str(tmp_path), DAGSTER_DISABLE_TELEMETRY="1") as process:
        assert process.wait(240) == 0, log.read_text()
    told = log.read_text()
    began, ended = (sorted(map(float, re.findall(rf"{what} ([\d.]+)", told))) for what in ("began", "ended"))
    spans = list(zip(began, ended, strict=True))
    assert (len(spans), most_at_once(spans)) == (3, 1), told
