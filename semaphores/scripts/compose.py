"""Compose: many small Lua files become the few scripts that the server runs, loaded by the hash of their text.

Errors inside a composed script name a line of the whole; `locate` maps it back to file and line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha1

from semaphores.scripts.folder import lua_folder

__all__ = ["Script", "call_script", "locate", "probe_script", "read_script", "relief_script", "repair_script"]

MOST_LOCALS = 200  # of one Lua function: the top level of a composed script counts too

_PRELUDE = ("base", "clock", "limits", "slots", "sessions", "places", "reservation", "groups", "explain", "admission")
_COMMANDS = (*("begin", "end", "release", "cancel", "acquire", "beat", "reassert", "change_limits", "revoke"),)
_READS = (*("common", "limits", "leases", "sessions", "why", "audit", "doctor_held", "doctor_waiting", "doctor"),)
_REPAIRS = ("meta", "limits", "held", "waiting")
_USER_SCRIPT = re.compile(r"user_script:(\d+)")


@dataclass(frozen=True)
class Script:
    """One script: its text, its SHA-1 as the server computes it, and which file each line came from."""

    text: bytes
    sha: bytes
    lines: tuple[tuple[str, int], ...]


@cache
def call_script() -> Script:
    """Return the one script that changes state, refused by the server when it is out of memory."""
    return _compose("#!lua", _call_files())


@cache
def relief_script() -> Script:
    """Return the same text for commands that give back only: it also runs when the server is out of memory."""
    return _compose("#!lua flags=allow-oom", _call_files())


@cache
def read_script() -> Script:
    """Return the script that only reads: status, why, lists, doctor."""
    return _compose("#!lua flags=no-writes", [*_prelude(), *(f"read/{name}" for name in _READS), "read"])


@cache
def repair_script() -> Script:
    """Return the script that makes slots, leases, sessions, groups, places and indexes agree again."""
    files = [*_prelude(), "read/common", *(f"repair/{name}" for name in _REPAIRS), "repair"]
    return _compose("#!lua flags=allow-oom", files)


@cache
def probe_script() -> Script:
    """Return the script that proves what we rely on, at connecting; also when the server is out of memory."""
    return _compose("#!lua flags=allow-oom", ["probe"])


def locate(script: Script, message: str) -> str:
    """Replace line numbers of the composed text in a server's error by file and line: `slots.lua:12`."""

    def place(found: re.Match[str]) -> str:
        number = int(found[1])
        if not 1 <= number <= len(script.lines):
            return found[0]
        file, line = script.lines[number - 1]
        return f"{file}:{line}"

    return _USER_SCRIPT.sub(place, message)


def _call_files() -> list[str]:
    return [*_prelude(), "prelude/reaper", *(f"commands/{name}" for name in _COMMANDS), "call"]


def _prelude() -> list[str]:
    return [f"prelude/{name}" for name in _PRELUDE]


def _compose(shebang: str, files: list[str]) -> Script:
    lines: list[tuple[str, int]] = [("shebang", 1)]
    parts = [shebang]
    folder = lua_folder()
    for name in files:
        source = folder.joinpath(*f"{name}.lua".split("/")).read_text("utf-8").splitlines()
        parts += source
        lines += [(f"{name.rpartition('/')[2]}.lua", number) for number in range(1, len(source) + 1)]
    text = ("\n".join(parts) + "\n").encode()
    return Script(text, sha1(text).hexdigest().encode(), tuple(lines))  # noqa: S324 (the server's own name for it)
