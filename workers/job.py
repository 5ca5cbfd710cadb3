"""Job: ops and the order that their parameters give them, checked when it is defined. Nothing here runs it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from semaphores import names
from semaphores.errors import ConfigError, UsageError
from workers.errors import ArgumentError, DefinitionError
from workers.limits import Executor, check_executor, in_process, never_starts
from workers.op import HIGHEST, LOWEST, Op, Parameter, check_whole
from workers.run_config import RunConfig, Validation, apply_run_config

__all__ = ["Job", "Step", "job", "validate_run_config"]

MAX_ATTEMPTS = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """An op in its place in a job."""

    op: Op
    upstream: tuple[str, ...]  # the ops that must have succeeded before it
    downstream: tuple[str, ...]
    inputs: tuple[str, ...]  # its parameters that are results; each the name of an op
    arguments: tuple[Parameter, ...]  # its parameters that the run gives


@dataclass(frozen=True, eq=False)
class Job:
    """Ops that belong together, and how a run of them is queued and carried out. Made by `job`."""

    name: str
    ops: tuple[Op, ...]
    tags: Mapping[str, str] = field(default_factory=dict)  # of each of its runs
    executor: Executor | None = None  # None: that of its Definitions, else in_process()
    queue: str = "default"
    priority: int = 0
    max_attempts: int = 3
    max_runtime: float | None = None  # seconds
    config: Mapping[str, object] | None = None  # run config, below that of a run
    description: str = ""
    module: str = ""  # where it is defined; a child process finds it there

    def __post_init__(self) -> None:
        try:
            _check(self)
            object.__setattr__(self, "steps", _steps(self))
            _ = self.settings
        except DefinitionError:
            raise
        except UsageError as error:
            raise DefinitionError(f"job {self.name!r}: {error}") from None

    steps: Mapping[str, Step] = field(init=False, repr=False)  # in the order of their definition

    def __repr__(self) -> str:
        return f"<Job {self.name}: {', '.join(self.steps)}>"

    @cached_property
    def settings(self) -> Executor:
        """The executor of a run without a run config of its own."""
        executor, errors = apply_run_config(self.executor or in_process(), self.config)
        if errors:
            raise errors[0]
        return executor

    @cached_property
    def uses_pools(self) -> bool:
        """Whether some op takes slots."""
        return any(op.pools for op in self.ops)

    def pools(self) -> list[str]:
        """Return the names of all pools that its ops take slots of."""
        return sorted({pool for op in self.ops for pool in op.pools})

    def executor_for(self, config: RunConfig) -> Executor:
        """Return the executor of a run with this config. Raises ConfigError for the first mistake in it."""
        if config is None:
            return self.settings
        executor, errors = apply_run_config(self.settings, config)
        if errors:
            raise errors[0]
        return executor

    def check_args(self, args: Mapping[str, object]) -> None:
        """Raise ArgumentError unless a run can be started with these arguments: none missing, none unknown."""
        known = dict.fromkeys(each.name for step in self.steps.values() for each in step.arguments)
        for name in args:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise ArgumentError(
                    f"job {self.name!r} has no argument {name!r}{_meant(name, known)}; {takes}", job=self.name
                )
        for step in self.steps.values():
            for each in step.arguments:
                if each.required and each.name not in args:
                    raise ArgumentError(
                        f"op {step.op.name!r} of job {self.name!r} needs {each.name!r}: give the run an argument of"
                        " that name, the parameter a default, or the job an op of that name",
                        job=self.name,
                        op=step.op.name,
                        parameter=each.name,
                    )

    def about(self) -> dict[str, object]:
        """Return it as plain data that JSON can hold, to be stored and shown."""
        return {
            "name": self.name,
            "description": self.description,
            "module": self.module,
            "queue": self.queue,
            "priority": self.priority,
            "tags": dict(self.tags),
            "max_attempts": self.max_attempts,
            "max_runtime": self.max_runtime,
            "executor": self.settings.about(),
            "args": {each.name: each.required for step in self.steps.values() for each in step.arguments},
            "ops": [_about(step) for step in self.steps.values()],
        }


def job(
    *,
    ops: Iterable[Op],
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    executor: Executor | None = None,
    queue: str = "default",
    priority: int = 0,
    max_attempts: int = 3,
    max_runtime: float | None = None,
    config: Mapping[str, object] | None = None,
) -> Callable[[Callable[..., object]], Job]:
    """Make a job of ops; the function gives it its name and, as docstring, its description. Its body is not run.

    `tags` count for the limits on runs; `priority` is -4096 to 4095, the higher the earlier; a run that its worker did
    not live to end is tried `max_attempts` times; `max_runtime` is in seconds; `config` is run config (see
    `validate_run_config`), below that of a run.

    Raises:
        DefinitionError: something of it cannot be used; the line says what.
    """

    def make(function: Callable[..., object]) -> Job:
        own = name if name is not None else function.__name__
        description = inspect.getdoc(function) or ""
        listed = tuple(ops) if isinstance(ops, Iterable) else ()
        return Job(
            own, listed, dict(tags or {}), executor, queue, priority, max_attempts, max_runtime, config, description,
            function.__module__,
        )  # fmt: skip

    return make


def validate_run_config(job: Job, config: RunConfig) -> Validation:
    """Say whether runs of a job can be given this run config: values, YAML text, or the path of a YAML file.

    Never raises for what is wrong in it: `success` says whether it can be used, `errors` what is wrong, each with
    `path`, `line` (from 1; None when it was no text), `hint` and `problem`.
    """
    executor, errors = apply_run_config(job.settings, config)
    if not errors and (never := never_starts(job.ops, executor.tag_limits)):
        errors = [ConfigError(never)]
    return Validation(tuple(errors))


def _check(job: Job) -> None:
    names.plain("job", job.name)
    names.plain("queue", job.queue)
    names.needs_of({}, job.tags)
    check_whole("priority", job.priority, LOWEST, HIGHEST)
    check_whole("max_attempts", job.max_attempts, 1, MAX_ATTEMPTS)
    longest = job.max_runtime
    if longest is not None and (
        isinstance(longest, bool) or not isinstance(longest, int | float) or not 0 < longest < math.inf
    ):
        raise UsageError(f"max_runtime cannot be {longest!r}: it must be a number of seconds above 0, or None")
    check_executor(job.executor)
    if not job.ops:
        raise UsageError("it has no ops: give it ops=[...]")
    stranger: object = next((op for op in job.ops if not isinstance(op, Op)), None)
    if stranger is not None:
        raise UsageError(f"{getattr(stranger, '__name__', stranger)!r} is no op: put @op before the function")


def _steps(job: Job) -> dict[str, Step]:
    ops: dict[str, Op] = {}
    for op in job.ops:
        if ops.setdefault(op.name, op) is not op:
            raise UsageError(f"two ops are called {op.name!r}: give one of them another name, @op(name=...)")
    inputs = {op.name: tuple(each.name for each in op.parameters if each.name in ops) for op in ops.values()}
    upstream: dict[str, tuple[str, ...]] = {}
    for op in ops.values():
        for name in op.after:
            if name not in ops:
                raise UsageError(f"op {op.name!r} comes after {name!r}, which is no op of it{_meant(name, ops)}")
        upstream[op.name] = tuple(dict.fromkeys((*inputs[op.name], *op.after)))
    _refuse_cycles(upstream)
    return {
        op.name: Step(
            op,
            upstream[op.name],
            tuple(name for name in ops if op.name in upstream[name]),
            inputs[op.name],
            tuple(each for each in op.parameters if each.name not in ops),
        )
        for op in ops.values()
    }


def _refuse_cycles(upstream: Mapping[str, Sequence[str]]) -> None:
    left = dict(upstream)
    while left:
        free = [name for name, before in left.items() if not any(each in left for each in before)]
        if not free:
            raise UsageError(f"its ops wait for each other: {' -> '.join(_cycle(left))}")
        for name in free:
            del left[name]


def _cycle(left: Mapping[str, Sequence[str]]) -> list[str]:
    """Return one cycle, in the order of work; each op of `left` waits for another one of it."""
    path = [next(iter(left))]
    while True:
        before = next(each for each in left[path[-1]] if each in left)
        if before in path:
            return [*path[path.index(before) :], before][::-1]
        path.append(before)


def _about(step: Step) -> dict[str, object]:
    op = step.op
    return {
        "name": op.name,
        "description": op.description,
        "upstream": list(step.upstream),
        "pools": dict(op.pools),
        "tags": dict(op.tags),
        "priority": op.priority,
        "retries": op.retries,
        "retry_delay": op.retry_delay,
    }


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
