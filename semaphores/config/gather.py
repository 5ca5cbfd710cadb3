"""Gather: a validated document to limits and settings by name, wherever in the file each of them stands.

`concurrency.runs` and `run_queue` may both be given: their tag limits add up, and the same limit twice is fine as long
as both say the same number.
"""

from __future__ import annotations

from collections.abc import Callable

from semaphores import names
from semaphores.config.problem import Path, Problem, path_text
from semaphores.config.schema import Document, Pools, Runs, TagLimit, UniqueValue
from semaphores.config.settings import LimitSpec
from semaphores.errors import InvalidName
from semaphores.wording import readable

__all__ = ["gather", "run_settings"]


def gather(
    document: Document, base: Path, line_of: Callable[[Path], int | None], problems: list[Problem]
) -> dict[str, LimitSpec]:
    """Return all limits of a document; names that cannot be and numbers that disagree are added to `problems`.

    `base` is the path of the document in its file, `line_of` gives the line of a path there.
    """
    limits = _Limits(line_of, problems)
    concurrency = (*base, "concurrency")
    _runs(document.concurrency.runs, (*concurrency, "runs"), limits)
    _runs(document.run_queue, (*base, "run_queue"), limits)
    _pools(document.concurrency.pools, (*concurrency, "pools"), limits)
    return limits.found


def run_settings(document: Document) -> dict[str, str]:
    """Return the settings of runs that a document names, as they are stored; "" where it says that there is none."""
    settings: dict[str, str] = {}
    if "granularity" in document.concurrency.pools.model_fields_set:
        settings["granularity"] = document.concurrency.pools.granularity
    if "run_monitoring" in document.model_fields_set:
        monitoring = document.run_monitoring
        spans = {
            "start_timeout": monitoring.start_timeout_seconds,
            "cancel_timeout": monitoring.cancel_timeout_seconds,
            "max_runtime": monitoring.max_runtime_seconds,
        }
        settings |= {name: f"{span:g}" if monitoring.enabled and span else "" for name, span in spans.items()}
    return settings


class _Limits:
    """Limits found so far, each with the path that gave it."""

    def __init__(self, line_of: Callable[[Path], int | None], problems: list[Problem]) -> None:
        self.found: dict[str, LimitSpec] = {}
        self.problems = problems
        self._line_of = line_of
        self._paths: dict[str, Path] = {}

    def add(self, name: str, capacity: int, description: str, path: Path) -> None:
        """Add a limit, or a problem when another number was given for the same name."""
        line = self._line_of(path) or 1
        first = self.found.get(name)
        if first is None:
            self.found[name] = LimitSpec(capacity, description, line)
            self._paths[name] = path
        elif first.capacity != capacity:
            other = f"{first.capacity} on line {first.line} ({path_text(self._paths[name])})"
            text = f"{readable(name)} is limited to {capacity} here and to {other}"
            self.problems.append(Problem(path, text, "keep one of them", line))
        elif description and not first.description:
            self.found[name] = LimitSpec(capacity, description, first.line)

    def __repr__(self) -> str:
        return f"<{len(self.found)} limits, {len(self.problems)} problems>"


def _runs(runs: Runs, path: Path, limits: _Limits) -> None:
    if runs.max_concurrent_runs is not None:
        limits.add(names.RUNS, runs.max_concurrent_runs, "", (*path, "max_concurrent_runs"))
    for index, limit in enumerate(runs.tag_concurrency_limits):
        limits.add(_tag_name(limit), limit.limit, limit.description, (*path, "tag_concurrency_limits", index))


def _tag_name(limit: TagLimit) -> str:
    if isinstance(limit.value, UniqueValue):
        return (names.unique_value_limit if limit.value.applyLimitPerUniqueValue else names.tag_limit)(limit.key)
    return names.tag_value_limit(limit.key, limit.value)


def _pools(pools: Pools, path: Path, limits: _Limits) -> None:
    if pools.default_limit is not None:
        limits.add(names.DEFAULT_POOL, pools.default_limit, "", (*path, "default_limit"))
    for pool, limit in pools.limits.items():
        at = (*path, "limits", pool)
        if pool == "*":
            text = "'*' is no name of a pool here"
            limits.problems.append(Problem(at, text, "for all pools without a limit of their own: default_limit"))
            continue
        try:
            name = names.pool_limit(pool)
        except InvalidName as error:
            limits.problems.append(Problem(at, f"the name of a pool must be {error.wanted}"))
            continue
        limits.add(name, limit.limit, limit.description, at)
