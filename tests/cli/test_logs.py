"""What a worker logs: one event a line, as text or as JSON that says what it is about; and its metrics."""

from __future__ import annotations

import json
import logging
import socket
import sys
from datetime import datetime
from pathlib import Path

import pytest

from semaphores import Client
from semaphores.cli.logs import JsonLines, OneLine
from tests.cli.commandline import CommandLine, first_line

MODULE = """
import logging
from workers import job, op

@op
def load():
    logging.getLogger("shop").warning("half a line\\nand the rest")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("shop").exception("no")

@job(ops=[load])
def etl(): ...
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(MODULE)
    return str(path)


def record(text: str, *, fails: bool = False, **extra: object) -> logging.LogRecord:
    about = None
    if fails:
        try:
            raise ValueError("a\nb")
        except ValueError:
            about = sys.exc_info()
    return logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, text, (), about, extra=extra)


def test_an_event_is_one_line_whatever_it_says() -> None:
    for text in ("two\nlines", "\x1b[31mred", "\u202eback", "\ud800"):
        for form in (OneLine(), JsonLines()):
            line = form.format(record(text, fails=True))
            assert line.isprintable(), (form, text, line)
            line.encode()


def test_json_has_what_it_is_about_and_when_with_zone() -> None:
    told = json.loads(JsonLines().format(record("lost", fails=True, run="r1", limit="pool:db", other=3)))
    assert datetime.fromisoformat(told.pop("time")).utcoffset() is not None
    assert "ValueError" in told.pop("trace")
    assert told == {
        "level": "INFO", "logger": "x", "event": "lost", "run": "r1", "limit": "pool:db", "error": "ValueError: a\nb",
    }  # fmt: skip


def test_a_worker_logs_json_with_run_job_and_op(cli: CommandLine, client: Client, module: str) -> None:
    process = cli.start("worker", module, "--log-json", "--metrics-port", "0")
    try:
        assert first_line(process).startswith("ready")
        assert cli.run("run", "submit", "etl", "--id", "r1", "--wait").code == 0
        process.terminate()
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    told = [json.loads(line) for line in err.splitlines()]
    ours = {one["event"]: one for one in told}
    assert next(one["event"].partition(" ")[0] for one in told) == "metrics"
    over = ours["run r1: SUCCESS"]
    assert (over["run"], over["job"], over["status"], over["logger"]) == ("r1", "etl", "SUCCESS", "workers")
    said = ours["half a line\nand the rest"]
    assert (said["run"], said["job"], said["op"], said["level"]) == ("r1", "etl", "load", "WARNING")
    assert ours["no"]["error"] == "ZeroDivisionError: division by zero"


def test_a_port_that_is_taken_is_one_line(cli: CommandLine, module: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = cli.run("worker", module, "--metrics-port", str(port))
    assert done.code == 1
    assert f"error: metrics cannot be served on 127.0.0.1:{port}: " in done.err
    assert done.out == ""
