"""Problems: what is wrong with a file, where, and what its writer may have meant.

The stages of reading hand these on; only `read` turns them into errors. A problem's text is one line, whatever the file
holds, and never shows a value that came from the environment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self, TypeAlias

__all__ = ["Path", "Problem", "Substituted", "Unreadable", "Value", "nearest", "path_text", "shown"]

Path: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

_SHOWN = 60  # characters of a value or key that an error repeats: enough to find it, and one line


@dataclass(frozen=True)
class Problem:
    """One mistake. `line` counts from 1; None: the line of what stands at `path`, or of the nearest thing around it."""

    path: Path
    text: str
    hint: str = ""
    line: int | None = None


class Unreadable(Exception):
    """End the reading of a file in which nothing more can be found out."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class Substituted(str):
    """Text that came from the environment; `written` is what the file says instead, and all that errors may show."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, text: str, written: str) -> Self:
        made = super().__new__(cls, text)
        made.written = written
        return made


def path_text(path: Path) -> str:
    """Return a path as people write it: `concurrency.runs.tag_concurrency_limits[0].limit`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + _key_text(part)
    return text


def shown(value: Value) -> str:
    """Return a value as an error names it: short, on one line, and without what the environment gave."""
    if isinstance(value, Substituted):
        return _cut(value.written)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else _cut(repr(value))


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that a mistyped one most likely stands for, or None."""
    plain = {_letters(each): each for each in known}
    if _letters(name) in plain:
        return plain[_letters(name)]
    close = get_close_matches(_letters(name)[:_SHOWN], plain, n=1, cutoff=0.75)
    if close:
        return plain[close[0]]
    words = set(name.lower().split("_"))
    longer = [each for each in known if words <= set(each.split("_"))]
    return longer[0] if len(words) > 1 and longer else None  # max_runs for max_concurrent_runs


def _letters(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _key_text(key: str) -> str:
    simple = key.isprintable() and not any(char in " .[]'\":" for char in key)
    return _cut(key if simple and key else repr(key))


def _cut(text: str) -> str:
    if "://" in text:  # an address may hold a password
        return "an address"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
