"""Limits inside one run: how many of its ops at once, and how many of those that carry a tag.

They are read from Python and from run config by the same function, so both are refused in the same words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from semaphores import names
from semaphores.config.problem import Path, Problem, nearest, path_text, shown
from semaphores.errors import InvalidName
from workers.errors import DefinitionError
from workers.op import Op

__all__ = [
    "KEYS",
    "Executor",
    "Kind",
    "Most",
    "TagLimit",
    "check_executor",
    "in_process",
    "multiprocess",
    "never_starts",
    "read_executor",
]

Kind = Literal["in_process", "multiprocess"]
Most: TypeAlias = "int | Callable[[], int]"  # ops at once, or what says how many now
KEYS = ("max_concurrent", "tag_concurrency_limits")  # of an executor
_LIMIT_KEYS = ("key", "value", "limit", "description")
_EACH = "applyLimitPerUniqueValue"


@dataclass(frozen=True, slots=True)
class TagLimit:
    """A limit on the ops of a run that carry a tag."""

    key: str
    value: str | None  # None: whatever its value
    each: bool  # each value has the limit for itself
    limit: int  # ops at once

    def counter(self, tags: Mapping[str, str]) -> str | None:
        """Return what an op with these tags is counted as, or None when it is not limited by this."""
        value = tags.get(self.key)
        if value is None or (self.value is not None and value != self.value):
            return None
        return f"{self.key}={value}" if self.each or self.value is not None else self.key

    def __str__(self) -> str:
        which = "each value of " if self.each else ""
        value = "" if self.value is None else f"={self.value}"
        return f"{which}op tag {self.key + value!r}: limit {self.limit}"


@dataclass(frozen=True, slots=True)
class Executor:
    """Where the ops of a run are carried out, and how many at once. Made by `in_process` or `multiprocess`."""

    kind: Kind
    max_concurrent: Most | None = None  # None: one in process, else as many as there are processors
    tag_limits: tuple[TagLimit, ...] = ()

    def most(self) -> int:
        """Return how many ops may run at once now; 0 holds new ones back for a while."""
        most = self.max_concurrent
        if most is None:
            return 1 if self.kind == "in_process" else os.cpu_count() or 1
        if not callable(most):
            return most
        now = most()
        if isinstance(now, bool) or not isinstance(now, int):
            raise DefinitionError(f"max_concurrent={_name_of(most)} returned {now!r}: it must be a whole number")
        return max(0, now)

    def about(self) -> dict[str, object]:
        """Return it as plain data."""
        most = self.max_concurrent
        limits = [
            {"key": each.key, "value": {_EACH: True} if each.each else each.value, "limit": each.limit}
            for each in self.tag_limits
        ]
        return {
            "kind": self.kind,
            "max_concurrent": _name_of(most) if callable(most) else most,
            "tag_concurrency_limits": limits,
        }


def in_process(
    config: Mapping[str, object] | None = None,
    /,
    *,
    max_concurrent: Most | None = None,
    tag_concurrency_limits: Sequence[Mapping[str, object]] | None = None,
) -> Executor:
    """Carry out ops in the worker process: async ones in its event loop, others in a thread each.

    A thread cannot be ended: a plain op that is cancelled, or whose lease is lost, is waited for. Where that must not
    be, use `multiprocess`.

    `max_concurrent` ops at once (1), or a function that says how many now; 0 and None mean the default.
    `tag_concurrency_limits`: mappings with `key`, perhaps `value` (text, or `{"applyLimitPerUniqueValue": True}`), and
    `limit`; an op must pass all that match it. `config` is a mapping of both, instead. Raises DefinitionError.
    """
    return _executor("in_process", config, max_concurrent, tag_concurrency_limits)


def multiprocess(
    config: Mapping[str, object] | None = None,
    /,
    *,
    max_concurrent: Most | None = None,
    tag_concurrency_limits: Sequence[Mapping[str, object]] | None = None,
) -> Executor:
    """Carry out each op in a child process that is gone before its slots can be somebody else's.

    Children are kept for the next op, and what an op changes in its process (working directory, environment, globals)
    that one may find. What an op leaves running ends with it.

    As `in_process`, but `max_concurrent` is as many as there are processors when it is 0, None or not given.
    """
    return _executor("multiprocess", config, max_concurrent, tag_concurrency_limits)


def check_executor(executor: object) -> None:
    """Raise DefinitionError unless it is an executor, or None."""
    if executor is not None and not isinstance(executor, Executor):
        hint = "call it: " if executor in (in_process, multiprocess) else ""
        raise DefinitionError(f"unknown executor {executor!r}: {hint}executor=in_process() or executor=multiprocess()")


def never_starts(ops: Iterable[Op], limits: Sequence[TagLimit]) -> str | None:
    """Return why some op can never start, or None when all can."""
    for op in ops:
        for limit in limits:
            if limit.limit == 0 and limit.counter(op.tags) is not None:
                return f"op {op.name!r} can never start: {limit}; raise it, or take the tag off the op"
    return None


def read_executor(kind: Kind, given: Mapping[str, object], at: Path, problems: list[Problem]) -> Executor:
    """Read the settings of an executor; what does not fit is added to `problems`. `at` is their path."""
    problems += [_unknown(key, KEYS, (*at, str(key))) for key in given if key not in KEYS]
    most = _most(given.get("max_concurrent"), (*at, "max_concurrent"), problems)
    limits = _tag_limits(given.get("tag_concurrency_limits"), (*at, "tag_concurrency_limits"), problems)
    return Executor(kind, most, limits)


def _executor(kind: Kind, config: object, most: object, limits: object) -> Executor:
    given: Mapping[str, object] = {"max_concurrent": most, "tag_concurrency_limits": limits}
    if config is not None:
        if not isinstance(config, Mapping) or most is not None or limits is not None:
            raise DefinitionError(f"{kind}() takes one mapping, or max_concurrent= and tag_concurrency_limits=")
        given = config
    problems: list[Problem] = []
    executor = read_executor(kind, given, (), problems)
    for problem in problems[:1]:
        where = f" at {path_text(problem.path)}" if problem.path else ""
        raise DefinitionError(f"{kind}: {problem.text}{where}{'; ' + problem.hint if problem.hint else ''}")
    return executor


def _most(given: object, at: Path, problems: list[Problem]) -> Most | None:
    if given is None or (given == 0 and not isinstance(given, bool)):
        return None
    if callable(given):
        return given
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= names.MAX_CAPACITY:
        text = f"must be a whole number from 1, or a function that returns one, not {_shown(given)}"
        problems.append(Problem(at, text, "leave it out, or write 0, for the default"))
        return None
    return given


def _tag_limits(given: object, at: Path, problems: list[Problem]) -> tuple[TagLimit, ...]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        problems.append(Problem(at, f"must be a list, not {_shown(given)}", "begin each limit with '- key: ...'"))
        return ()
    found: dict[tuple[str, str | None, bool], TagLimit] = {}
    for index, entry in enumerate(given):
        limit = _tag_limit(entry, (*at, index), problems)
        if limit is None:
            continue
        same = found.setdefault((limit.key, limit.value, limit.each), limit)
        if same.limit != limit.limit:
            text = f"{str(limit).partition(':')[0]} is limited twice, to {same.limit} and to {limit.limit}"
            problems.append(Problem((*at, index), text, "keep one of them"))
    return tuple(found.values())


def _tag_limit(entry: object, at: Path, problems: list[Problem]) -> TagLimit | None:
    if not isinstance(entry, Mapping):
        problems.append(Problem(at, f"must be a mapping with key and limit, not {_shown(entry)}"))
        return None
    before = len(problems)
    problems += [_unknown(key, _LIMIT_KEYS, (*at, str(key))) for key in entry if key not in _LIMIT_KEYS]
    problems += [Problem(at, f"the key {key!r} is missing") for key in ("key", "limit") if key not in entry]
    key = entry.get("key")
    try:
        names.tag_limit(key)  # type: ignore[arg-type]
    except InvalidName as error:
        if "key" in entry:
            problems.append(Problem((*at, "key"), f"must be {error.wanted}, not {_shown(key)}"))
    limit = entry.get("limit")
    if "limit" in entry and (isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= 1_000_000):
        text = f"must be a whole number from 0 to {names.MAX_CAPACITY}, not {_shown(limit)}"
        problems.append(Problem((*at, "limit"), text, "leave the entry out for no limit"))
    value, each = _value(entry.get("value"), (*at, "value"), problems)
    if len(problems) > before or not isinstance(limit, int):
        return None
    return TagLimit(str(key), value, each, limit)


def _value(given: object, at: Path, problems: list[Problem]) -> tuple[str | None, bool]:
    if given is None or isinstance(given, str):
        if given == "*":
            hint = f"to limit each value on its own: value: {{{_EACH}: true}}"
            problems.append(Problem(at, "'*' is no value of a tag", hint))
        return given, False
    if isinstance(given, Mapping) and list(given) == [_EACH] and isinstance(given[_EACH], bool):
        return None, given[_EACH]
    hint = f'put it in quotes: "{given}"' if isinstance(given, int | float) and not isinstance(given, bool) else ""
    problems.append(Problem(at, f"must be text, or {{{_EACH}: true}}, not {_shown(given)}", hint))
    return None, False


def _unknown(key: object, known: Sequence[str], at: Path) -> Problem:
    meant = nearest(str(key), known)
    return Problem(at, "unknown key", f"did you mean {meant!r}?" if meant else f"expected {', '.join(known)}")


def _shown(given: object) -> str:
    plain = given is None or isinstance(given, bool | int | float | str | list | dict)
    return shown(given) if plain else f"a {type(given).__name__}"  # type: ignore[arg-type]


def _name_of(function: Callable[[], int]) -> str:
    return getattr(function, "__name__", None) or repr(function)
