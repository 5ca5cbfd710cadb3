"""Fixtures for users' tests: a run of pytest in a folder of its own, with this library as it is installed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0  # seconds, on a loaded machine

USERS_TEST = """
    import asyncio, os, subprocess, sys
    import pytest
    from semaphores import AcquireTimeout, pool

    @pool("database", blocking=False)
    def refresh():
        return "done"

    @pool("database", blocking=False)
    async def refresh_async():
        return "done"

    def test_a_limit_holds(semaphores_client):
        semaphores_client.limits.set("pool:database", 1)
        assert refresh() == asyncio.run(refresh_async()) == "done"
        with semaphores_client.pool("database"), pytest.raises(AcquireTimeout):
            refresh()

    def test_the_next_test_knows_nothing_of_it(semaphores_client):
        assert semaphores_client.status() == ()
        assert refresh() == "done"

    def test_processes_of_the_test_are_in_the_same_namespace(semaphores_client, semaphores_server):
        assert os.environ["SEMAPHORES_URL"] == semaphores_server.url
        command = [sys.executable, "-m", "semaphores", "pool", "set", "database", "7"]
        subprocess.run(command, check=True, capture_output=True)
        assert semaphores_client.limits.get("pool:database").capacity == 7

    def test_without_the_fixture_the_environment_is_as_it_was():
        assert os.environ["SEMAPHORES_URL"] == "redis://nobody.invalid"
        assert "SEMAPHORES_NAMESPACE" not in os.environ
"""


@pytest.fixture
def users(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Where a user's tests run: not in our folder, and with settings that a test must never use."""
    monkeypatch.setenv("SEMAPHORES_URL", "redis://nobody.invalid")
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("tmp")))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return pytester


def test_a_users_test_gets_a_server_and_fresh_namespaces_and_leaves_nothing(users: pytest.Pytester) -> None:
    users.makepyfile(USERS_TEST)
    done = users.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", timeout=TIMEOUT)
    done.assert_outcomes(passed=4)
    assert list((users.path / "tmp").glob("sem-*")) == []


def test_a_run_that_does_not_use_it_imports_nothing_of_ours(users: pytest.Pytester) -> None:
    users.makepyfile(
        """
        import sys

        def test_it():
            ours = sorted(name for name in sys.modules if name.startswith("semaphores"))
            testing = [f"semaphores.testing{part}" for part in ("", ".plugin", ".server")]
            assert ours == ["semaphores", *testing]
            assert "msgpack" not in sys.modules
        """
    )
    users.runpytest_subprocess("-W", "error", timeout=TIMEOUT).assert_outcomes(passed=1)


def test_it_can_be_turned_off(users: pytest.Pytester) -> None:
    users.makepyfile("def test_it(semaphores_client): pass")
    done = users.runpytest_subprocess("-p", "no:semaphores", timeout=TIMEOUT)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*fixture 'semaphores_client' not found*"])


def test_a_killed_run_leaves_no_server_behind(users: pytest.Pytester) -> None:
    users.makepyfile(
        """
        import time

        def test_it(semaphores_server):
            print("at", semaphores_server.folder, flush=True)
            time.sleep(60)
        """
    )
    command = [sys.executable, "-m", "pytest", "-s", "-q"]
    with subprocess.Popen(command, cwd=users.path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = next(Path(found[1]) for line in process.stdout if (found := re.search(r"at (/\S+)", line)))
        assert folder.exists()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while folder.exists():
        assert time.monotonic() < deadline, "the server outlives the run of pytest"
        time.sleep(0.02)  # nobody is told of it


def test_a_server_that_does_not_start_says_why(users: pytest.Pytester) -> None:
    users.makepyfile("def test_it(semaphores_server): pass")
    os.environ["SEMAPHORES_TEST_SERVER"] = "/nowhere/redis-server"
    try:
        done = users.runpytest_subprocess(timeout=TIMEOUT)
    finally:
        del os.environ["SEMAPHORES_TEST_SERVER"]
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*ServerUnavailable: the test server did not start: *"])


def test_without_pytest_the_plugin_says_what_is_missing_and_the_rest_works() -> None:
    script = """
import sys
sys.modules["pytest"] = None
from semaphores.testing import fresh_client, throwaway_server
with throwaway_server() as server, fresh_client(server.url) as client:
    assert client.namespace().grace is None
try:
    import semaphores.testing.plugin
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pytest, which is not installed: pip install pytest" in done.stdout
    assert done.stderr == ""
