"""The demo of the fleet: what it claims comes from the run records and the index, and nothing of it stays behind."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from tests.servers import Server

ROWS = ("Runs: ", "At once at most: ", "Killed: worker ")


def test_a_fleet_indexes_the_library_within_its_limits_though_a_worker_is_killed(server: Server) -> None:
    environment = {**os.environ, "SEMAPHORES_URL": server.url}
    done = subprocess.run(
        [sys.executable, "-m", "semaphores", "fleet-demo", "--files", "240"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for row in ROWS:
        assert row in done.stdout
    assert "20 of 20 succeeded" in done.stdout
    assert "WRONG" not in done.stdout
    with server.client() as client:
        assert not list(client.scan_iter("sem:{demo-*", 1000))
    left = [one for one in psutil.process_iter(["cmdline"]) if "workers.demo.jobs" in (one.info["cmdline"] or [])]
    assert not left
