"""Parts: what stands at the top level of one Lua file: functions, constants, and state of a call.

There is nothing else there, and each of them has one form, so that no value can outlive its call unseen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from semaphores.errors import SemaphoresError

__all__ = ["ComposeError", "Part", "Statement", "names_in", "part_of"]

_OUTSIDE_CODE = re.compile(r"""'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|--[^\n]*""")
_NAME = re.compile(r"(?<![\w.:])[A-Za-z_]\w*")
_KEY = re.compile(r"(?<![\w.:])[A-Za-z_]\w*(?=\s*=[^=])")
_FUNCTION = re.compile(r"local function ([a-z]\w*)\(")
_LOCAL = re.compile(r"local ([A-Za-z_][\w, ]*?)\s*(?:=\s*(.*))?$")
_STATE, _CONSTANT = re.compile(r"[a-z][a-z0-9_]*"), re.compile(r"[A-Z][A-Z0-9_]*")
_UNFINISHED = re.compile(r"(?:[-+*/%^=<>~,({\[]|\.\.|\b(?:and|or|not))$")


class ComposeError(SemaphoresError):
    """A Lua file does not keep the rules of CONTRIBUTING.md: a mistake of whoever wrote it, found before any server."""


@dataclass(frozen=True)
class Statement:
    """What one statement of the top level defines, and the names that it uses."""

    line: int
    names: tuple[str, ...]
    used: frozenset[str]
    code: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """One file. `lines` are its lines without `local` and without the values of its states: those are in `states`."""

    file: str
    lines: Sequence[str]
    functions: Sequence[Statement]
    constants: Sequence[Statement]
    states: Sequence[Statement]
    used: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All that it defines."""
        return frozenset(
            name for kind in (self.functions, self.constants, self.states) for one in kind for name in one.names
        )

    @property
    def room(self) -> str:
        """The folder it is in, or whose files it brings together."""
        folder, _, stem = self.file.removesuffix(".lua").rpartition("/")
        return folder or ("commands" if stem == "call" else stem)


def names_in(code: str) -> frozenset[str]:
    """Return every name in some code, fields and words of comments and strings left out."""
    return frozenset(_NAME.findall(_bare(code)))


def part_of(name: str, text: str) -> Part:
    """Read one file. Raises ComposeError for a statement that is no function, no constant and no state of a call."""
    file, lines = f"{name}.lua", text.splitlines()
    functions: list[Statement] = []
    constants: list[Statement] = []
    states: list[Statement] = []
    composed = list(lines)
    number = 0
    while number < len(lines):
        line, first = lines[number], number
        bare = _bare(line).rstrip()
        number += 1
        if not bare:
            continue
        if found := _FUNCTION.match(line):
            number = _end_of_function(file, lines, number)
            body = "\n".join(lines[first:number])
            functions.append(Statement(first + 1, (found[1],), names_in(body.partition("(")[2])))
            composed[first] = line.removeprefix("local ")
            continue
        found = _LOCAL.match(bare)
        names = tuple(word.strip() for word in found[1].split(",")) if found else ()
        if found and all(map(_CONSTANT.fullmatch, names)) and found[2]:
            number = _end_of_value(file, lines, first)
            constants.append(_constant(file, first + 1, names, "\n".join(lines[first:number])))
            composed[first] = line.removeprefix("local ")
        elif found and all(map(_STATE.fullmatch, names)):
            if lines[number : number + 1] and lines[number][:1] in (" ", "\t"):
                bare = ""  # it goes on there
            states.append(_state(file, first + 1, names, line, bare))
            composed[first] = ""
        else:
            raise ComposeError(
                f"{file}:{first + 1}: at the top level stand `local function`, `local UPPER_CASE = …` (made once) and"
                " `local lower_case = …` (made anew in each call), nothing else"
            )
    _check_constants(file, lines, [one for constant in constants for one in constant.names])
    return Part(file, composed, functions, constants, states, names_in(text))


def _bare(code: str) -> str:
    """Code without comments, and with empty strings."""
    return _OUTSIDE_CODE.sub(lambda found: "" if found[0].startswith("--") else "''", code)


def _end_of_function(file: str, lines: Sequence[str], number: int) -> int:
    """The number of lines up to the `end` of a function, which alone stands at the start of a line."""
    for end in range(number, len(lines)):
        if lines[end] == "end":
            return end + 1
        if lines[end][:1] not in ("", " "):
            break
    raise ComposeError(f"{file}:{number}: a function ends with `end` at the start of a line, indented until there")


def _end_of_value(file: str, lines: Sequence[str], first: int) -> int:
    """The number of lines up to the end of a value, which may be a table over several lines."""
    for end in range(first, len(lines)):
        if _is_whole(_bare("\n".join(lines[first : end + 1]))):
            return end + 1
    raise ComposeError(f"{file}:{first + 1}: a bracket is not closed")


def _is_whole(bare: str) -> bool:
    return all(bare.count(opening) == bare.count(closing) for opening, closing in ("()", "[]", "{}"))


def _constant(file: str, line: int, names: tuple[str, ...], code: str) -> Statement:
    value = _bare(code).partition("=")[2]
    if re.search(r"\bfunction\b", value):
        raise ComposeError(f"{file}:{line}: a constant holds no function: what that one remembers would outlive a call")
    return Statement(line, names, frozenset(_NAME.findall(value)) - frozenset(_KEY.findall(value)))


def _state(file: str, line: int, names: tuple[str, ...], code: str, bare: str) -> Statement:
    value = bare.partition("=")[2]
    if not bare or not _is_whole(bare) or _UNFINISHED.search(bare) or re.search(r"\bfunction\b", value):
        raise ComposeError(f"{file}:{line}: state of a call is one line, and no function: `local {names[0]} = value`")
    assigned = code.removeprefix("local ") if value else f"{', '.join(names)} = nil"
    return Statement(line, names, frozenset(_NAME.findall(value)) - frozenset(_KEY.findall(value)), assigned)


def _check_constants(file: str, lines: Sequence[str], constants: Sequence[str]) -> None:
    """A constant is never written to: it is the same for every call of every namespace."""
    if not constants:
        return
    written = re.compile(rf"(?<![\w.:])(?:{'|'.join(constants)})(?:\.\w+|\[.*\])*\s*=(?!=)")
    for number, line in enumerate(lines, 1):
        if written.search(_bare(line)) and not line.startswith("local "):
            raise ComposeError(f"{file}:{number}: a constant is written to, which the next call would see")
