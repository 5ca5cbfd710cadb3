"""Run config: the settings of an executor that one run, or one job, is given. Pure.

Read are `execution.config.multiprocess`, `execution.config.in_process`, and the same keys flat in `execution.config`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TypeAlias

from semaphores.config.problem import Path, Problem, Unreadable, nearest, path_text
from semaphores.errors import ConfigError
from workers.limits import KEYS, Executor, Kind, read_executor

__all__ = ["RunConfig", "Validation", "apply_run_config"]

RunConfig: TypeAlias = "Mapping[str, object] | str | os.PathLike[str] | None"  # values, YAML text, or a YAML file

_KINDS: tuple[Kind, ...] = ("multiprocess", "in_process")
_PLACE = "execution.config.multiprocess"
_BELONGS = {key: f"{_PLACE}.{key}" for key in KEYS} | {
    "multiprocess": _PLACE,
    "in_process": "execution.config.in_process",
    "config": "execution.config",
    "execution": "the root of the run config",
    "concurrency": "the configuration file of the deployment",
    "run_queue": "the configuration file of the deployment",
    "max_concurrent_runs": "the configuration file of the deployment, at concurrency.runs.max_concurrent_runs",
    "ops": "the arguments of the run",
}


@dataclass(frozen=True)
class Validation:
    """What is wrong with a run config: one error each, with `path`, `line`, `hint` and `problem`."""

    errors: tuple[ConfigError, ...]

    @property
    def success(self) -> bool:
        """Whether the config can be used."""
        return not self.errors


def apply_run_config(executor: Executor, config: RunConfig) -> tuple[Executor, list[ConfigError]]:
    """Return the executor that a run with this config has, and every mistake in the config.

    What the config does not say stays as it is; but when it chooses another kind of executor, `max_concurrent` is the
    default of that kind.
    """
    if config is None:
        return executor, []
    problems: list[Problem] = []
    lines: dict[Path, int] = {}
    file = os.fspath(config) if isinstance(config, os.PathLike) else ""
    try:
        values = _values(config, lines, problems)
        executor = _read(executor, values, problems)
    except Unreadable as unreadable:
        problems.append(unreadable.problem)
    errors = [
        ConfigError(each.text, file=file, line=_line(each, lines), path=path_text(each.path), hint=each.hint)
        for each in problems
    ]
    return executor, errors


def _values(config: RunConfig, lines: dict[Path, int], problems: list[Problem]) -> object:
    if not isinstance(config, str | os.PathLike):
        return config
    from semaphores.config.tree import Tree, compose  # with PyYAML, which only text needs

    try:
        text = config if isinstance(config, str) else FilePath(config).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(Problem((), f"cannot be read: {reason}")) from None
    tree = Tree()
    root = compose(text)
    values = None if root is None else tree.value(root, ())
    lines.update(tree.lines)
    problems += tree.problems
    return values


def _line(problem: Problem, lines: Mapping[Path, int]) -> int | None:
    if problem.line is not None:
        return problem.line
    return next((lines[problem.path[:n]] for n in range(len(problem.path), -1, -1) if problem.path[:n] in lines), None)


def _read(executor: Executor, values: object, problems: list[Problem]) -> Executor:
    execution = _section(values, (), ("execution",), problems).get("execution")
    config = _section(execution, ("execution",), ("config",), problems).get("config")
    at: Path = ("execution", "config")
    settings = _section(config, at, (*_KINDS, *KEYS), problems)
    chosen = [kind for kind in _KINDS if kind in settings]
    flat = [key for key in KEYS if key in settings]
    if len(chosen) == 2:
        problems.append(Problem((*at, chosen[1]), "two executors are chosen", "keep one of them"))
    if chosen and flat:
        hint = f"it belongs to {path_text((*at, chosen[0], flat[0]))}"
        problems.append(Problem((*at, flat[0]), f"stands beside {chosen[0]!r}", hint))
    kind = chosen[0] if chosen else executor.kind
    path = (*at, kind) if chosen else at
    own = _section(settings[kind], path, KEYS, problems) if chosen else {key: settings[key] for key in flat}
    read = read_executor(kind, own, path, problems)
    keep = "max_concurrent" not in own and kind == executor.kind
    return Executor(
        kind,
        executor.max_concurrent if keep else read.max_concurrent,
        read.tag_limits if "tag_concurrency_limits" in own else executor.tag_limits,
    )


def _section(given: object, at: Path, known: tuple[str, ...], problems: list[Problem]) -> dict[str, object]:
    """Return the known keys of a mapping."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        problems.append(Problem(at, f"must be a mapping with {' or '.join(known)}, not {type(given).__name__}"))
        return {}
    strangers = [str(key) for key in given if key not in known]
    problems += [Problem((*at, key), "unknown key", _hint(key, known)) for key in strangers]
    return {key: given[key] for key in known if key in given}


def _hint(key: str, known: tuple[str, ...]) -> str:
    meant = nearest(key, known)
    if meant:
        return f"did you mean {meant!r}?"
    elsewhere = key if key in _BELONGS else nearest(key, _BELONGS)
    return f"it belongs to {_BELONGS[elsewhere]}" if elsewhere else f"expected {', '.join(known)}"
