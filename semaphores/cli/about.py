"""About: what a worker told of a job's ops and executor, as values. Pure.

It is of whatever version of the code the worker has: what is missing or strange there is left out, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from semaphores.runs import JobView

__all__ = ["JobOp", "executor_text", "ops_of"]


@dataclass(frozen=True, slots=True)
class JobOp:
    """One op of a job, as its worker told."""

    name: str
    upstream: tuple[str, ...]
    pools: Mapping[str, int]
    tags: Mapping[str, str]
    priority: int
    retries: int


def ops_of(job: JobView) -> list[JobOp]:
    """Return a job's ops, as far as its worker told of them."""
    told = job.about.get("ops")
    return [_op(one) for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []


def _op(told: Mapping[str, object]) -> JobOp:
    def mapping(name: str) -> Mapping[str, object]:
        found = told.get(name)
        return found if isinstance(found, Mapping) else {}

    def number(name: str) -> int:
        found = told.get(name)
        return found if isinstance(found, int) else 0

    upstream = told.get("upstream")
    return JobOp(
        name=str(told.get("name", "")),
        upstream=tuple(map(str, upstream)) if isinstance(upstream, list) else (),
        pools={name: slots for name, slots in mapping("pools").items() if isinstance(slots, int)},
        tags={name: str(value) for name, value in mapping("tags").items()},
        priority=number("priority"),
        retries=number("retries"),
    )


def executor_text(told: object) -> str:
    """Return what is told of an executor, on one line."""
    if not isinstance(told, Mapping):
        return ""
    words = [str(told.get("kind") or ""), f"max_concurrent {told.get('max_concurrent') or 'default'}"]
    limits = told.get("tag_concurrency_limits")
    for limit in limits if isinstance(limits, list) else []:
        if isinstance(limit, Mapping):
            value = limit.get("value")
            which = "" if value is None else "=*" if isinstance(value, Mapping) else f"={value}"
            words.append(f"tag {limit.get('key')}{which}: {limit.get('limit')}")
    return ", ".join(word for word in words if word)
