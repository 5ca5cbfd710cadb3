"""Compose: many small Lua files become the few scripts that the server runs, loaded by the hash of their text.

Errors inside a composed script name a line of the whole; `locate` maps it back to file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1

from semaphores.scripts.folder import lua_folder

__all__ = ["Script", "call_script", "locate", "probe_script", "read_script", "relief_script", "repair_script"]

MOST_LOCALS = 200  # of one Lua function: the top level of a composed script counts too

_OFTEN = (  # what a call needs that takes or gives back where nobody waits
    *("prelude/base", "prelude/clock", "prelude/limits", "prelude/slots", "prelude/sessions", "prelude/places"),
    *("commands/acquire", "commands/release"),
)
_RARELY = (  # made when a call needs them: making 80 more functions costs more than the work of most calls
    (
        *("prelude/problems", "prelude/epochs", "prelude/lives", "prelude/undrained", "prelude/reservation"),
        *("prelude/groups", "prelude/explain", "prelude/admission", "prelude/reaper"),
    ),
    (
        *("commands/waits", "commands/begin", "commands/end", "commands/cancel", "commands/beat"),
        *("commands/change_limits", "commands/reassert", "commands/revoke"),
    ),
)
_WITHIN = ("prelude/clock", "prelude/slots", "commands/acquire")  # each, and what follows it, in a function within
_WAITING = (_RARELY[0][:-1],)  # what reads and repairs use besides
_READS = (*("common", "limits", "leases", "sessions", "why", "audit", "doctor_held", "doctor_waiting", "doctor"),)
_REPAIRS = ("meta", "limits", "held", "waiting")
_DEFINITION = re.compile(r"local function (\w+)\(")
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
    return _compose("#!lua", _OFTEN, _RARELY, "call")


@cache
def relief_script() -> Script:
    """Return the same text for commands that give back only: it also runs when the server is out of memory."""
    return _compose("#!lua flags=allow-oom", _OFTEN, _RARELY, "call")


@cache
def read_script() -> Script:
    """Return the script that only reads: status, why, lists, doctor."""
    return _compose("#!lua flags=no-writes", [*_OFTEN[:-2], *(f"read/{name}" for name in _READS)], _WAITING, "read")


@cache
def repair_script() -> Script:
    """Return the script that makes slots, leases, sessions, groups, places and indexes agree again."""
    files = [*_OFTEN[:-2], "read/common", *(f"repair/{name}" for name in _REPAIRS)]
    return _compose("#!lua flags=allow-oom", files, _WAITING, "repair")


@cache
def probe_script() -> Script:
    """Return the script that proves what we rely on, at connecting; also when the server is out of memory."""
    return _compose("#!lua flags=allow-oom", (), (), "probe")


def locate(script: Script, message: str) -> str:
    """Replace line numbers of the composed text in a server's error by file and line: `prelude/slots.lua:12`."""

    def place(found: re.Match[str]) -> str:
        number = int(found[1])
        if not 1 <= number <= len(script.lines):
            return found[0]
        file, line = script.lines[number - 1]
        return f"{file}:{line}"

    return _USER_SCRIPT.sub(place, message)


def _compose(shebang: str, often: Sequence[str], rarely: Sequence[Sequence[str]], last: str) -> Script:
    """Join files: those needed often, a function `rare_parts` that makes what is needed rarely, and the last one.

    Lua lets a function name 60 outer names at most, so the rare ones come in groups, each in a function of its own;
    what other files use of them is declared in front, and they fill it in. What follows some files stands in a
    function within: a function takes an outer name from the one around it at once, but seeks a name beside it in a
    long list (90,000 of 230,000 instructions a call).
    """
    sources = {name: _source(name) for name in (*often, *(name for group in rarely for name in group), last)}
    declared = _declared(sources, rarely)
    text: list[str] = [shebang]
    lines = [("composed", 1)]

    def add(name: str, source: Sequence[str]) -> None:
        text.extend(source)
        file = f"{name}.lua" if name in sources else name
        lines.extend((file, number) for number in range(1, len(source) + 1))

    within = _WITHIN if _WITHIN[-1] in often else ()
    early = _words(sources[name] for name in (often[: often.index(within[-1])] if within else sources))
    if rarely:
        add("composed", [f"local {', '.join(name for name in declared if name in early)}"])
    for name in often:
        if name in within:
            add("composed", ["return (function()"])
        if name in within[-1:]:
            add("composed", [f"local {', '.join(name for name in declared if name not in early)}"])
        add(name, sources[name])
    for number, group in enumerate(rarely):
        add("composed", [f"local function rare_part_{number}()"])
        for name in group:
            add(name, [_assigned(line, declared) for line in sources[name]])
        add("composed", ["end"])
    if rarely:
        calls = [f"rare_part_{number}()" for number in range(len(rarely))]
        add("composed", ["function rare_parts()", *calls, "rare_parts = function() end", "end"])
    add(last, sources[last])
    add("composed", ["end)()"] * len(within))
    whole = ("\n".join(text) + "\n").encode()
    return Script(whole, sha1(whole).hexdigest().encode(), tuple(lines))  # noqa: S324 (the server's own name for it)


def _source(name: str) -> list[str]:
    return lua_folder().joinpath(*f"{name}.lua".split("/")).read_text("utf-8").splitlines()


def _words(sources: Iterable[Sequence[str]]) -> set[str]:
    """Every name in some files."""
    return {word for source in sources for word in re.findall(r"[A-Za-z_]\w*", re.sub(r"--.*", "", "\n".join(source)))}


def _declared(sources: Mapping[str, Sequence[str]], rarely: Sequence[Sequence[str]]) -> list[str]:
    """The functions of rare files that files outside of their group name."""
    words = {name: _words([source]) for name, source in sources.items()}
    declared = ["rare_parts"]
    for group in rarely:
        outside = set().union(*(found for name, found in words.items() if name not in group))
        defined = [found[1] for name in group for line in sources[name] if (found := _DEFINITION.match(line))]
        declared += [name for name in defined if name in outside]
    return declared


def _assigned(line: str, declared: Sequence[str]) -> str:
    found = _DEFINITION.match(line)
    return line.removeprefix("local ") if found and found[1] in declared else line
