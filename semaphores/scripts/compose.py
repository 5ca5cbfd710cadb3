"""Compose: many small Lua files become one function library, named by the hash of its text.

A library is made once and its functions are called for ever, so what a call remembers must begin anew in each: a file's
`local lower_case = value` is state of one call and runs at its beginning, its `local UPPER_CASE = value` is made once.
`parts.py` reads that from the files, and refuses what is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources.abc import Traversable
from itertools import groupby

from semaphores.scripts.folder import lua_folder
from semaphores.scripts.parts import ComposeError, Part, part_of

__all__ = ["Library", "compose", "library", "locate", "sources"]

MOST_LOCALS = 200  # of one Lua function, the top level of the library included
MOST_UPVALUES = 60  # outer names that one Lua function uses
ROOMS = {
    "prelude": "",
    "commands": "call",
    "read": "read",
    "repair": "repair",
}  # folders, each with the file that uses it
WINGS = {"prelude": "changing", "commands": "changing", "read": "looking", "repair": "looking"}  # rooms side by side
BEGINS = {
    "call": ("prelude", "commands"),
    "read": ("prelude", "read"),
    "repair": ("prelude", "read", "repair"),
    "probe": ("prelude", "probe"),
}  # functions, each with the rooms whose states begin anew in its calls
GIVEN = ("LIBRARY", "STATES", "KEYS", "ARGV")  # to library.lua

_USER_FUNCTION = re.compile(r"user_function:(\d+)")


@dataclass(frozen=True)
class Library:
    """The library as the server loads it, and which file each of its lines came from."""

    name: str
    text: bytes
    lines: tuple[tuple[str, int], ...]

    def words(self, function: str) -> tuple[bytes, bytes]:
        """Return the command that calls one of its functions, and the function's name."""
        verb = b"FCALL_RO" if function == "read" else b"FCALL"  # no function that FCALL_RO runs can write
        return verb, f"{self.name}_{function}".encode()


@cache
def library() -> Library:
    """Return the library that this version of the package uses; its functions are in `lua/library.lua`."""
    return compose(sources())


def sources() -> dict[str, str]:
    """Return the text of every Lua file by its name, in the order in which they stand in the library."""
    folder = lua_folder()
    beside = dict(_texts(folder, ""))
    found: dict[str, str] = {}
    for room, user in ROOMS.items():
        found |= _texts(folder / room, f"{room}/")
        found |= {user: beside.pop(user)} if user else {}
    library = beside.pop("library")
    return {**found, **beside, "library": library}


def locate(message: str, made: Library | None = None) -> str:
    """Replace line numbers of the library in a server's error by file and line: `prelude/slots.lua:12`."""
    lines = (made or library()).lines

    def place(found: re.Match[str]) -> str:
        number = int(found[1])
        if not 1 <= number <= len(lines):
            return found[0]
        file, line = lines[number - 1]
        return f"{file}:{line}"

    return _USER_FUNCTION.sub(place, message)


def compose(files: Mapping[str, str]) -> Library:
    """Join files. Each stands in a block of its own; the names that others use are declared in front of them: of all,
    of the rooms of their wing, or of their room, so that few are known in one place.

    Raises ComposeError for a file that does not keep the rules, with its line.
    """
    parts = [part_of(name, text) for name, text in files.items()]
    shared = _shared(parts)
    _check(parts, shared)
    text: list[str] = []
    lines = [("composed", 1)]

    def add(*source: str, places: Sequence[tuple[str, int]] = ()) -> None:
        text.extend(source)
        lines.extend(places or [("composed", 1)] * len(source))

    states = ", ".join(f"{function} = {{}}" for function in BEGINS)
    add(f"local {', '.join(GIVEN)} = NAME, {{ {states} }}", *_declared(shared[""]))
    for wing, rooms in groupby(parts, _wing):
        add("do", *_declared(shared[wing]))
        for room, group in groupby(rooms, lambda part: part.room):
            add("do", *_declared(shared[room]))
            for part in group:
                add("do", *_declared(part.names - _known(shared, part)))
                add(*part.lines, places=[(part.file, number) for number in range(1, len(part.lines) + 1)])
                if part.states:
                    add("STATES.file = function()")
                    add(*(one.code for one in part.states), places=[(part.file, one.line) for one in part.states])
                    add("end")
                    lists = [f"STATES.{function}" for function, rooms in BEGINS.items() if part.room in rooms]
                    add(*(f"{states}[#{states} + 1] = STATES.file" for states in lists))
                add("end")
            add("end")
        add("end")
    add("register()")
    body = "\n".join(text) + "\n"
    name = f"semaphores_{sha256(body.encode()).hexdigest()[:16]}"
    whole = f"#!lua name={name}\n" + body.replace("NAME", f"'{name}'", 1)
    return Library(name, whole.encode(), tuple(lines))


def _texts(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".lua"):
            yield prefix + file.name.removesuffix(".lua"), file.read_text("utf-8")


def _declared(names: AbstractSet[str] | Sequence[str]) -> list[str]:
    return [f"local {', '.join(sorted(names))}"] if names else []


def _wing(part: Part) -> str:
    return WINGS.get(part.room, f"alone:{part.room}")


def _known(shared: Mapping[str, frozenset[str]], part: Part) -> frozenset[str]:
    """The names that a file shares with others."""
    return shared[""] | shared[_wing(part)] | shared[part.room]


def _shared(parts: Sequence[Part]) -> dict[str, frozenset[str]]:
    """The names that files use of each other: under "" those that another wing uses, else by wing, else by folder.

    Each is defined once, so it means the same wherever it stands.
    """
    home: dict[str, Part] = {}
    for part in parts:
        for name in sorted(part.names):
            if name in home:
                raise ComposeError(f"{part.file} and {home[name].file} both define {name}: name one of them otherwise")
            home[name] = part
    users = [(name, part) for part in parts for name in part.used if name in home and home[name] is not part]
    shared: dict[str, set[str]] = {"": {"register"}}
    for part in parts:
        shared |= {_wing(part): set(), part.room: set()}
    for name, part in users:
        if _wing(part) != _wing(home[name]):
            shared[""].add(name)
        elif part.room != home[name].room:
            shared[_wing(part)].add(name)
        else:
            shared[part.room].add(name)
    found: dict[str, frozenset[str]] = {}
    for level in sorted(shared, key=lambda level: (level != "", level not in WINGS.values())):  # the widest first
        wider = found.get("", frozenset()).union(*(found[wing] for wing in WINGS.values() if wing in found))
        found[level] = frozenset(shared[level]) - wider
    return found


def _check(parts: Sequence[Part], shared: Mapping[str, frozenset[str]]) -> None:
    """Refuse what Lua would, naming the file; and a value that is made before what it needs."""
    every = {name for part in parts for name in part.names}
    states = {name for part in parts for state in part.states for name in state.names}
    made = set(GIVEN)
    for part in parts:
        known = len(_known(shared, part) | part.names | set(GIVEN))
        if known > MOST_LOCALS:
            raise ComposeError(f"{part.file}: Lua allows {MOST_LOCALS} local names, and {known} are known there")
        for function in part.functions:
            outer, place = len(function.used & every), f"{part.file}:{function.line}"
            if outer > MOST_UPVALUES:
                raise ComposeError(f"{place}: Lua allows {MOST_UPVALUES} outer names, it uses {outer}")
        for statement in sorted((*part.functions, *part.constants, *part.states), key=lambda one: one.line):
            early: set[str] = set()
            if statement in part.constants:  # made while the library is loaded
                early |= statement.used & ((every - made) | states)
            elif statement in part.states:  # made in each call, one behind the other
                early |= statement.used & (states - made)
            if early:
                raise ComposeError(f"{part.file}:{statement.line}: {', '.join(sorted(early))} has no value there yet")
            made.update(statement.names)
    for entry, rooms in BEGINS.items():
        _check_states(parts, entry, rooms)


def _check_states(parts: Sequence[Part], function: str, rooms: Sequence[str]) -> None:
    """Refuse a function of the server that reaches a state which its calls do not begin with."""
    home = {
        name: (part, statement)
        for part in parts
        for statement in (*part.functions, *part.constants, *part.states)
        for name in statement.names
    }
    reached: set[str] = set()
    ahead = {f"run_{function}"}
    while ahead := {name for name in ahead if name in home} - reached:
        reached |= ahead
        for name in ahead:
            part, statement = home[name]
            if statement in part.states and part.room not in rooms:
                raise ComposeError(
                    f"{part.file}:{statement.line}: {name} is not begun anew in calls of `{function}`, which use it"
                )
        ahead = {used for name in ahead for used in home[name][1].used}
