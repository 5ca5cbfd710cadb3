"""Documentation: the blocks of each page run in their order, on a real server, and print what the page says.

    python     runs as a script of its own; one that begins with `# name.py` is only saved, for later blocks to run
    text       behind it: what it printed
    bash       lines that call our command run; others (pip, make, git) are for the reader's machine
    console    `$ command` and what it printed; one that ends with `&` runs on beside the page: it is at work when it
               printed its first line, or, where the page shows none, when one more waits in line; `kill %2` (or
               `kill -9 %2`) ends the second of them, and waits for that. What only reads is asked again until it prints
               what the page says: a reader looks when it is so
    yaml       is a configuration that loads, or a run config (`execution:`), or a Compose file (`services:`), or what
               Kubernetes is given (`kind:`); one that begins with `# name.yaml` is saved too

What differs from run to run (ids, times, host names) is not compared. docs/configuration.md has tests of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from semaphores import connect
from semaphores.config.read import parse_config
from tests.servers import start_server
from tests.test_compose import problems as compose_problems
from workers import multiprocess
from workers.run_config import apply_run_config

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
OWN_TESTS = {"docs/configuration.md"}  # tests/pure/test_config.py
OURS = ("semaphores ", "redis-cli ")
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PYTHON = (sys.executable, "-W", "error")
PATIENCE = 60  # seconds for one block on a loaded machine
SOON = 20  # seconds until a read shows what the page says
READS = re.compile(r"semaphores (status|why|workers|(run|job|pool|limit|lease|session) (list|show|logs|get))\b")
CHANGING = [  # in this order
    (r"[0-9a-f]{24}/(\d+)", r"SESSION/\1"),
    (r"(?<![.])\b[0-9a-f]{16,64}\b", "HEX"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?([.,]\d+)?(\+\d\d:\d\d|Z)?", "MOMENT"),
    (r"\b\d\d:\d\d:\d\d\b", "CLOCK"),
    (r"[\w.-]+:\d+:[\w.-]+", "HOLDER"),
    (r"[\w.-]+@[\w.-]+", "WHO"),
    (r"\b\d+(\.\d+)? (ms|s|min|h)\b", "SPAN"),
    (r"\b\d+ %", "SHARE"),
    (r"\b\d+\.\d+\b", "NUMBER"),
    (r"\b\d{4,}\b", "NUMBER"),
    (r"[ \t]+", " "),
    (r" +$", ""),
]


def steady(text: str) -> list[str]:
    """Return the lines of what was printed, with what differs from run to run replaced."""
    for pattern, instead in CHANGING:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text.strip().splitlines()


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    kind: str
    text: str
    line: int
    said: str | None  # the text block right behind it


@dataclass
class Desk:
    """Where a page's blocks run: a folder, an environment, and what runs beside."""

    folder: Path
    environment: dict[str, str]
    beside: ExitStack = field(default_factory=ExitStack)
    started: list[subprocess.Popen[str]] = field(default_factory=list)  # what runs beside, in the order of the page

    def run(self, *words: str) -> str:
        """Run a command to its end and return what it printed. It must end well and complain of nothing."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr or done.stdout}"
        assert done.stderr == "", f"it complained: {done.stderr}"
        return done.stdout

    def start(self, command: str, waits: bool) -> str:
        """Start a command beside the page. Return its first line, or nothing, once it `waits` in line."""
        with connect(self.environment["SEMAPHORES_URL"]) as client:
            before = len(client.requests())
            process = self.beside.enter_context(running(command, self.folder, self.environment))
            self.started.append(process)
            assert process.stdout is not None
            if not waits:
                return process.stdout.readline()
            deadline = time.monotonic() + PATIENCE
            while len(client.requests()) == before:
                assert time.monotonic() < deadline, f"{command} does not wait"
                time.sleep(0.02)  # nobody is told that another process waits
            return ""

    def end(self, number: int, how: signal.Signals) -> str:
        """End a command that runs beside, and return what it printed since its first line."""
        process = self.started[number - 1]
        process.send_signal(how)
        return process.communicate(timeout=PATIENCE)[0]


@contextmanager
def running(command: str, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command, and end it with what it started."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)  # a worker waits for its runs
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose `semaphores` and `python` are ours, with a server to itself and the default namespace."""
    programs, folder = tmp_path / "programs", tmp_path / "page"
    programs.mkdir()
    folder.mkdir()
    put(programs / "semaphores", f'exec {shlex.quote(sys.executable)} -m semaphores "$@"')
    put(programs / "python", f'exec {shlex.quote(sys.executable)} "$@"')
    with start_server(appendonly=True) as server:
        if found := shutil.which("redis-cli"):  # as on a terminal
            put(programs / "redis-cli", f'exec {found} --no-raw -s {shlex.quote(str(server.socket))} "$@"')
        made = Desk(
            folder,
            {
                **{name: value for name, value in os.environ.items() if not name.startswith("SEMAPHORES_")},
                "SEMAPHORES_URL": server.url,
                "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
                "PYTHONPATH": str(ROOT),
                "PYTHONUNBUFFERED": "1",
                "COLUMNS": "110",
                "NO_COLOR": "1",
            },
        )
        made.run("semaphores", "init")
        with made.beside:
            yield made


def put(path: Path, line: str) -> None:
    """Write a program of one line."""
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page; a text block goes with the one that it stands right behind."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found, blocks = list(BLOCK.finditer(text)), []
    for number, block in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        said = following and following[1] == "text" and not text[block.end() : following.start()].strip()
        line = text.count("\n", 0, block.start()) + 1
        blocks.append(Block(block[1], block[2], line, following[2] if said and following else None))
    return blocks


def carry_out(block: Block, desk: Desk) -> None:
    """Run one block, and compare what it printed with what the page says."""
    if block.kind == "python":
        name = re.match(r"# (\w+\.py)\n", block.text)
        script = desk.folder / (name[1] if name else f"line_{block.line}.py")
        script.write_text(block.text, encoding="utf-8")
        if name is None:
            printed = desk.run(*PYTHON, script.name)
            compare(printed, block.said or "")
    elif block.kind == "bash":
        lines = [line for line in block.text.splitlines() if line.startswith(OURS)]
        printed = desk.run("bash", "-euc", "\n".join(lines)) if lines else ""
        if block.said is not None:
            compare(printed, block.said)
    elif block.kind == "console":
        converse(block, desk)
    elif block.kind == "yaml":
        if name := re.match(r"# (\w+\.yaml)\n", block.text):
            (desk.folder / name[1]).write_text(block.text, encoding="utf-8")
        check_yaml(block.text)


def check_yaml(text: str) -> None:
    """Fail unless it is what it looks like."""
    if re.search(r"^execution:", text, re.MULTILINE):
        problems: list[object] = list(apply_run_config(multiprocess(), text)[1])
    elif re.search(r"^services:", text, re.MULTILINE):
        problems = list(compose_problems(yaml.safe_load(text)))
    elif re.search(r"^kind:", text, re.MULTILINE):
        problems = [each for each in yaml.safe_load_all(text) if not {"apiVersion", "kind", "metadata"} <= set(each)]
    else:
        config = parse_config(text)
        problems = [] if config.limits or config.settings else ["it sets nothing"]
    assert problems == []


def compare(printed: str, said: str) -> None:
    """Fail unless a command printed what the page says."""
    assert steady(printed) == steady(said), f"it printed:\n{printed}"


def converse(block: Block, desk: Desk) -> None:
    """Run each `$ command` of a block; behind it stands what it printed."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, said = part.partition("\n")
        if command.startswith("redis-cli") and shutil.which("redis-cli") is None:
            continue
        if command.endswith("&"):
            printed = desk.start(command.removesuffix("&"), waits=not said.strip())
        elif job := re.fullmatch(r"kill (-9 )?%(\d+)", command):
            printed = desk.end(int(job[2]), signal.SIGKILL if job[1] else signal.SIGTERM)
        else:
            printed = answered(command, said, desk)
        compare(printed, said)


def answered(command: str, said: str, desk: Desk) -> str:
    """Return what a command printed; what only reads is asked again for a while, until it is what the page says."""
    deadline = time.monotonic() + SOON
    while True:
        printed = desk.run("bash", "-uc", f"{{ {command}\n}} 2>&1; true")  # a refusal is a thing to show
        if not READS.match(command) or steady(printed) == steady(said) or time.monotonic() > deadline:
            return printed
        time.sleep(0.1)  # the next look of somebody who waits for it


@pytest.mark.timeout(600)  # some pages have a hundred commands, each a process
@pytest.mark.parametrize("page", [page for page in PAGES if page not in OWN_TESTS])
def test_the_blocks_of_a_page_run_and_print_what_it_says(page: str, desk: Desk) -> None:
    wrong = []
    for block in blocks_of(page):
        try:
            carry_out(block, desk)
        except AssertionError as error:
            wrong.append(f"{page}, line {block.line}: {error}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(example: Path, desk: Desk) -> None:
    printed = desk.run(*PYTHON, str(example))
    assert printed, "an example shows something"
