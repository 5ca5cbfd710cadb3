"""Tree: YAML text to plain values, with the line each of them stands on.

Only what is asked for is turned into values, so sections of other programs may hold whatever they like. However a file
is made (aliases that multiply, nesting without end), reading it takes bounded time and ends in values or in Unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from semaphores.config.problem import Path, Problem, Unreadable, Value, path_text, shown

__all__ = ["Tree", "compose"]

MAX_DEPTH = 50  # our deepest path has 9 levels, in a Helm file
MAX_VALUES = 500_000  # after aliases are followed; without any, a 1 MB file has no room for more

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {_TAG + name for name in ("str", "int", "float", "timestamp", "value")}
_WHOLE = re.compile(
    r"[-+]?(0|[1-9][0-9_]{0,30})"
)  # YAML 1.1 also takes 010 (8), 0x1F and 1:30 (90): nobody means those
_BOOLS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class _Composer(yaml.SafeLoader):
    """SafeLoader up to its nodes, which know their lines; refuses nesting before Python's own stack would end."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def compose(text: str) -> yaml.Node | None:
    """Return the root of a YAML text, or None when it is empty. Raises Unreadable when it is not YAML."""
    composer = None
    try:
        composer = _Composer(text)
        return composer.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(Problem((), f"character {error.character!r} is not allowed in YAML", line=line)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f"{error.context}: " if error.context else ""
        text = " ".join(f"not valid YAML: {context}{error.problem or 'syntax error'}".split())
        raise Unreadable(Problem((), text, _hint(error), line=mark.line + 1 if mark else None)) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets these out of escapes such as "\UFFFFFFFF"
        at = composer.line + 1 if composer else None
        raise Unreadable(Problem((), "not valid YAML: an escape or number out of range", line=at)) from error
    finally:
        if composer is not None:
            composer.dispose()


def _hint(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "another document" in problem:
        return "keep one document in the file, without '---' between parts"
    if "'\\t'" in problem:
        return "indent with blanks, not tabs"
    if "but got '{'" in problem:
        return "inside braces and brackets, put ${VAR} in quotes"
    return "quote text that holds ': ', '#', '{' or '*'" if "mapping values" in problem else ""


class Tree:
    """Values of a composed file. `lines` has the line of each path handed out, `problems` what was found on the way."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._visited = 0
        self._open: set[int] = set()  # nodes that are being read: an alias to one of them would never end

    def line(self, path: Path) -> int | None:
        """Return the line of what stands at `path`, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def entries(self, node: yaml.MappingNode, path: Path) -> dict[str, yaml.Node]:
        """Return a mapping's entries by key, `<<` merged in. A key given twice is a problem, the first one counts."""
        with self._reading(node, path):
            found: dict[str, yaml.Node] = {}
            merged: list[tuple[yaml.Node, int]] = []
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                if key_node.tag == _TAG + "merge":
                    merged.append((value_node, line))
                    continue
                key = self._key(key_node, path)
                if key is None:
                    continue
                if key in found:
                    first = self.lines[(*path, key)]
                    self._problem(
                        (*path, key), f"key given twice, first on line {first}", "keep one of them", line=line
                    )
                    continue
                found[key] = value_node
                self.lines[(*path, key)] = line
            for value_node, line in merged:
                self._merge(value_node, found, path, line)
            return found

    def value(self, node: yaml.Node, path: Path) -> Value:
        """Return a node and all below it as plain values."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            with self._reading(node, path):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            entries = self.entries(node, path)
            with self._reading(node, path):
                return {key: self.value(item, (*path, key)) for key, item in entries.items()}
        self._problem(path, f"the tag {shown(str(node.tag))} means nothing here", "remove it")
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Value:
        self._count(node, path)
        text: str = node.value
        if node.tag == _TAG + "null" and text.lower() in ("", "~", "null"):
            return None
        if node.tag == _TAG + "bool" and text.lower() in _BOOLS:
            return _BOOLS[text.lower()]
        if node.tag == _TAG + "int" and _WHOLE.fullmatch(text):
            return int(text)
        if node.tag == _TAG + "float" and (number := _float(text)) is not None:
            return number
        if node.tag not in _TEXT_TAGS:
            self._problem(path, f"the tag {shown(str(node.tag))} means nothing here", "remove it")
        return self._writable(text, path)

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        self._count(node, path)
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            if node.tag in (_TAG + "str", _TAG + "value") and self._writable(node.value, path, line) == node.value:
                return str(node.value)
            hint = f'put it in quotes: "{node.value}"' if node.value.isprintable() and len(node.value) < 60 else ""
            self._problem(path, f"a key must be text, not {shown(node.value)}", hint, line=line)
        else:
            self._problem(path, "a key must be text", line=line)
        return None

    def _writable(self, text: str, path: Path, line: int | None = None) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._problem(path, f"{ascii(text)[:60]} cannot be written as UTF-8", line=line)
            return ""
        return text

    def _merge(self, node: yaml.Node, found: dict[str, yaml.Node], path: Path, line: int) -> None:
        if isinstance(node, yaml.SequenceNode):
            with self._reading(node, path):
                for item in node.value:
                    self._merge(item, found, path, line)
        elif isinstance(node, yaml.MappingNode):
            own = {key: self.lines[(*path, key)] for key in found}
            for key, value in self.entries(node, path).items():
                found.setdefault(key, value)
            self.lines.update({(*path, key): at for key, at in own.items()})
        else:
            self._problem((*path, "<<"), "'<<' takes a mapping, or a list of them", "write '<<: *NAME'", line=line)

    @contextmanager
    def _reading(self, node: yaml.Node, path: Path) -> Iterator[None]:
        self._count(node, path)
        line = node.start_mark.line + 1
        if id(node) in self._open:
            raise Unreadable(Problem(path, "an alias refers to what it stands in", "write it out", line=line))
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(Problem(path, f"aliases nest deeper than {MAX_DEPTH} levels", "write it out", line=line))
        self._open.add(id(node))
        try:
            yield
        finally:
            self._open.remove(id(node))

    def _count(self, node: yaml.Node, path: Path) -> None:
        self._visited += 1
        if self._visited > MAX_VALUES:
            line = node.start_mark.line + 1
            text = f"more than {MAX_VALUES} values once aliases are followed"
            raise Unreadable(Problem(path, text, "write what is meant, without aliases", line=line))

    def _problem(self, path: Path, text: str, hint: str = "", *, line: int | None = None) -> None:
        self.problems.append(Problem(path, text, hint, line))

    def __repr__(self) -> str:
        top = ", ".join(path_text(path) for path in self.lines if len(path) == 1)
        return f"<Tree of {self._visited} values: {top}>"


def _float(text: str) -> float | None:
    try:
        return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:  # 1:30.5, a number to YAML 1.1 alone
        return None
