"""Command line: runs the real `semaphores` as a subprocess, as a user would, and never lets a traceback pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TIMEOUT = 60.0  # seconds; a loaded machine needs one or two for a command
OURS = ("SEMAPHORES_", "XDG_STATE_HOME")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that an error is."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0].removeprefix("error: ")


@dataclass
class CommandLine:
    """`semaphores` with an environment of its own."""

    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return {**clean, **self.variables, **(extra or {})}

    def run(self, *words: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Ran:
        """Run to the end."""
        done = subprocess.run(
            [sys.executable, "-m", "semaphores", *words],
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=TIMEOUT,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """Run a command that must succeed and say nothing on stderr."""
        done = self.run(*words, env=env)
        assert (done.code, done.err) == (0, ""), (done.code, done.err)
        return done

    def fails(self, code: int, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command that must end with this exit code and one line of error; returns the line."""
        done = self.run(*words, env=env)
        assert done.code == code, (done.code, done.out, done.err)
        return done.error

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command and leave it running; its caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "semaphores", *words],
            env=self.environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that a process writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def keys(value: object) -> set[str]:
    """Return the field names of a JSON object."""
    assert isinstance(value, dict), value
    return set(value)


def rows(value: object) -> Sequence[dict[str, object]]:
    """Return a JSON list of objects."""
    assert isinstance(value, list), value
    assert all(isinstance(row, dict) for row in value)
    return value
