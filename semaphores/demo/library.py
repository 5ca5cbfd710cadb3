"""Library: the input of the demo: the Python files of this interpreter's standard library, and the symbols in each.

Tests of the standard library and what was installed beside it are left out. Pure but for reading files.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Symbol", "home", "module_path", "source_files", "symbols_of"]

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "__pycache__"}
_KINDS: dict[type[ast.AST], str] = {ast.ClassDef: "class", ast.FunctionDef: "def", ast.AsyncFunctionDef: "async def"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A class or function, by the dotted name it has inside its file."""

    name: str
    kind: str  # class, def or async def
    line: int


def home() -> Path:
    """Return where the standard library of this interpreter lives."""
    return Path(sysconfig.get_path("stdlib"))


def source_files() -> list[Path]:
    """Return the Python files of the standard library, in the order of their names."""
    root = home()
    return sorted(path for path in root.rglob("*.py") if not _LEFT_OUT.intersection(path.relative_to(root).parts))


def module_path(file: str) -> str:
    """Return a file's path inside the library, for people to read."""
    path = Path(file)
    return str(path.relative_to(home())) if path.is_relative_to(home()) else file


def symbols_of(path: Path) -> list[Symbol]:
    """Parse a file and return its symbols; none when it is not valid Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old files
            tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        return []
    return list(_symbols(tree, ""))


def _symbols(parent: ast.AST, prefix: str) -> Iterator[Symbol]:
    for node in ast.iter_child_nodes(parent):
        kind = _KINDS.get(type(node))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and kind is not None:
            yield Symbol(prefix + node.name, kind, node.lineno)
            yield from _symbols(node, f"{prefix}{node.name}.")
        else:
            yield from _symbols(node, prefix)
