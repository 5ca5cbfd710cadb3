"""Scenario: one promise as data: a configuration, jobs, workers, and steps with what must be true after each of them.

Nothing here talks to a server. A key that is not known is a mistake, so that no expectation is skipped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from semaphores.runs.spec import OnConflict

__all__ = ["EVENTS", "JobPlan", "RunPlan", "Scenario", "Step", "Theme", "WorkerPlan", "themes"]

FOLDER = Path(__file__).parent
EVENTS = (
    *("submit", "finish", "fail", "cancel", "retry", "priority", "until", "until_ops"),  # of runs
    *("limit", "delete", "pause", "resume", "apply", "prune"),  # of limits
    *("join", "drain", "stop", "die"),  # of workers
)


@dataclass(frozen=True)
class JobPlan:
    """A job. Each op blocks until the scenario lets it go."""

    ops: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"work": {}})  # of `workers.op`, `stubborn`
    executor: Mapping[str, Any] | None = None  # of `in_process`
    tags: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None  # run config
    max_attempts: int = 3


@dataclass(frozen=True)
class RunPlan:
    """A run to be submitted. Its id is its name in the scenario."""

    job: str = "etl"
    tags: Mapping[str, str] = field(default_factory=dict)
    queue: str = "default"
    location: str = "here"
    priority: int = 0
    on_conflict: OnConflict = "queue"
    conflict_tag: str | None = None
    max_runtime: float | None = None  # seconds
    max_attempts: int | None = None
    config: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class WorkerPlan:
    """A worker. `jobs`: those that it has the code of; None: all."""

    seats: int = 20
    queues: Sequence[str] = ("default",)
    jobs: Sequence[str] | None = None


@dataclass(frozen=True)
class Step:
    """An event, and what must be so when it was answered. What is None is not looked at."""

    event: str
    told: Any
    running: Sequence[str] = ()  # all runs in progress
    waiting: Mapping[str, str | None] = field(default_factory=dict)  # all queued runs, and where each waits
    ended: Mapping[str, str] = field(default_factory=dict)  # status by run, of some
    ops: Sequence[str] | None = None  # all ops at work, as RUN.OP
    ops_waiting: Mapping[str, str] | None = None  # all ops that wait, and for which limit
    used: Mapping[str, int] = field(default_factory=dict)  # slots by limit, of some
    skipped: Sequence[str] = ()  # of the runs just submitted
    refused: str | None = None  # what the refusal of the event says; the event must be refused
    over: bool = False  # a limit may be held above its capacity, as it was lowered, or its holders came first
    between: tuple[float, float] | None = None  # seconds that `until` may take


@dataclass(frozen=True)
class Scenario:
    """One promise."""

    name: str
    rule: str  # where it comes from
    steps: Sequence[Step]
    theme: str = ""
    config: Mapping[str, Any] | None = None  # as the file has it
    jobs: Mapping[str, JobPlan] = field(default_factory=dict)
    workers: Mapping[str, WorkerPlan] = field(default_factory=lambda: {"w": WorkerPlan()})
    ttl: float = 10.0  # seconds
    differs: str | None = None  # what ours does otherwise, on purpose

    def __str__(self) -> str:
        return f"{self.theme}: {self.name}"


@dataclass(frozen=True)
class Theme:
    """One file."""

    name: str
    title: str
    scenarios: Sequence[Scenario]


def themes() -> list[Theme]:
    """Return all files, in the order of their names."""
    return [_theme(path) for path in sorted(FOLDER.glob("*.yaml"))]


def _theme(path: Path) -> Theme:
    content = yaml.safe_load(path.read_text())
    found = [_scenario({**told, "theme": path.stem}) for told in content["scenarios"]]
    return Theme(path.stem, content["title"], found)


def _scenario(told: dict[str, Any]) -> Scenario:
    jobs = {name: JobPlan(**(plan or {})) for name, plan in told.pop("jobs", {}).items()}
    steps = [_step(told["name"], step) for step in told.pop("steps")]
    if "workers" in told:
        told["workers"] = {name: WorkerPlan(**(plan or {})) for name, plan in told.pop("workers").items()}
    return Scenario(jobs=jobs, steps=steps, **told)


def _step(scenario: str, told: dict[str, Any]) -> Step:
    events = [event for event in EVENTS if event in told]
    if len(events) != 1:
        raise ValueError(f"{scenario}: a step has one event, not {events} ({told})")
    event = events[0]
    told["waiting"] = _by_name(told.get("waiting", {}))
    told["running"] = list(_by_name(told.get("running", [])))
    if event in ("submit", "finish"):
        told[event] = _by_name(told[event])
    if "between" in told:
        told["between"] = tuple(told["between"])
    return Step(event=event, told=told.pop(event), **told)


def _by_name(told: Any) -> dict[str, Any]:
    """Return what is told by name, or just names; `r1..r9` are nine of them."""
    given = told if isinstance(told, Mapping) else dict.fromkeys([told] if isinstance(told, str) else told)
    found: dict[str, Any] = {}
    for name, value in given.items():
        span = re.fullmatch(r"([a-z]+)([0-9]+)\.\.\1([0-9]+)", name)
        names = [f"{span[1]}{n}" for n in range(int(span[2]), int(span[3]) + 1)] if span else [name]
        found.update(dict.fromkeys(names, value))
    return found
