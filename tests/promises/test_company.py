"""Company: what works under a lease in processes of its own keeps it, when the process that took it is gone."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from semaphores.scripts.commands import Beat
from semaphores.session.company import Company
from tests.faults.traffic import client_of, python, wait_until
from tests.lua.harness import Calls
from tests.servers import Server

T = 2.0
EXEC = "import sys; from semaphores.cli import main; sys.argv = ['semaphores', *sys.argv[1:]]; main()"
DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while True:
    os.write(file, f"{time.monotonic()!r}\\n".encode())
    time.sleep(0.005)
"""


def test_the_slot_of_an_exec_that_was_killed_is_free_when_its_command_is_dead_and_not_before(
    server: Server, namespace: str, tmp_path: Path
) -> None:
    """The guard gives the command a second; others of this host see the death of its holder at once."""
    signs = tmp_path / "signs"
    arguments = ["--url", server.url, "--namespace", namespace, "exec", "--pool", "db", "--"]
    with client_of(server.url, namespace, T, db=1) as client:
        with python(EXEC, *arguments, sys.executable, "-c", DEAF, signs) as process:
            wait_until("the command works", lambda: signs.exists() and signs.read_text().count("\n") > 2, 20)
            time.sleep(0.3)  # the guard is told of meanwhile
            process.kill()
            killed = time.monotonic()
            with client.pool("db", timeout=10):
                granted = time.monotonic()
        time.sleep(0.1)
        last = float(signs.read_text().splitlines()[-1])
    assert last <= granted, f"the command worked {last - granted:.3f} s on while its slot was somebody else's"
    assert granted - killed <= T + 1.0, f"{granted - killed:.2f} s"


def test_a_list_of_who_works_that_comes_late_changes_nothing(server: Server, namespace: str) -> None:
    calls = Calls(server, namespace)
    alice, bob = calls.session("alice"), calls.session("bob")
    alice.send(Beat(0, 0, pids="1:1 2:2", company=2))
    alice.send(Beat(0, 0, pids="1:1", company=1))
    assert calls.hash("session:alice")["pids"] == "1:1 2:2"
    bob.send(Beat(0, 0, gone={"alice": "1:1"}))
    assert not alice.ask().lost, "who saw an older list saw too little"
    bob.send(Beat(0, 0, gone={"alice": "1:1 2:2"}))
    assert alice.ask().lost
    calls.close()


def test_nothing_is_certain_while_a_process_is_expected_or_cannot_be_known() -> None:
    company, told = Company(), list[int]()
    mine, _ = company.list()
    assert mine.startswith(f"{os.getpid()}:")
    company.expect()
    assert company.list() == ("", 1)
    company.join(os.getppid(), lambda: told.append(1))
    assert company.list()[0].split()[1].startswith(f"{os.getppid()}:")
    company.heard(1)
    assert not told, "that was the list before"
    company.heard(2)
    assert told == [1]
    company.leave(os.getppid())
    assert company.list() == (mine, 3)
    company.join(2**30)
    assert company.list()[0] == "", "a process that cannot be read"
