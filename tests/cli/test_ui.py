"""`semaphores ui`: it starts, says where it is, refuses what would open it to strangers, and ends in order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from semaphores import Client
from tests.cli.commandline import CommandLine, first_line

TOKEN = "0123456789abcdef0123"


def test_it_serves_the_namespace_and_says_where(cli: CommandLine, client: Client) -> None:
    client.limits.set("pool:database", 3)
    process = cli.start("ui", "--port", "0")
    try:
        shows = f"shows namespace {client.connections.namespace}"
        told = re.fullmatch(rf"(http://127\.0\.0\.1:\d+/) {shows} \(read-only; .*", first_line(process))
        assert told is not None
        answer = httpx.get(told[1], trust_env=False)
        assert "database" in answer.text
        assert "server" not in answer.headers
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert "Traceback" not in out + err
    assert process.returncode in (0, 130)


def test_the_token_comes_from_the_environment_and_guards_it(cli: CommandLine, client: Client) -> None:
    process = cli.start("ui", "--port", "0", "--allow-writes", env={"SEMAPHORES_UI_TOKEN": TOKEN})
    try:
        line = first_line(process)
        assert "changes are allowed" in line
        assert TOKEN not in line
        address = line.split(" ")[0]
        assert httpx.get(address, trust_env=False).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert httpx.get(address, headers=headers, trust_env=False).status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_what_would_open_it_to_strangers_is_refused(cli: CommandLine) -> None:
    assert "without a token" in cli.fails(2, "ui", "--host", "0.0.0.0", "--port", "0")
    assert "at least 16" in cli.fails(2, "ui", "--token", "short", "--port", "0")


def test_a_port_that_is_taken_and_a_server_that_is_away_are_said(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "--port takes another one" in cli.fails(1, "ui", "--port", port)
    away = {"SEMAPHORES_URL": "redis://127.0.0.1:1"}
    assert "127.0.0.1:1" in cli.fails(1, "ui", "--port", "0", env=away)


def test_without_its_extra_it_says_what_to_install(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nreal = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'uvicorn' else real(name, *more)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    error = cli.fails(2, "ui", env={"PYTHONPATH": path})
    assert error == "the page needs uvicorn: pip install 'redis-semaphores[ui]'"


def test_other_commands_do_not_load_it(cli: CommandLine) -> None:
    code = (
        "import sys; from semaphores.cli import main\n"
        "sys.argv = ['semaphores', 'pool', 'list']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'starlette', 'jinja2', 'uvicorn', 'semaphores.ui'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=cli.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
