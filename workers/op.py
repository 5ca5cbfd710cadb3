"""Op: one step of a job, and what it needs. Nothing here runs it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, overload

from semaphores import names
from semaphores.errors import UsageError
from workers.errors import DefinitionError

__all__ = ["HIGHEST", "LOWEST", "Op", "Parameter", "check_tags", "check_whole", "op"]

Function = TypeVar("Function", bound=Callable[..., object])

LOWEST, HIGHEST = -4096, 4095  # of a priority, as wherever slots are asked for
MAX_RETRIES = 1_000
MAX_DELAY = 86_400.0  # seconds; whoever waits longer wants another run


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an op's function is called with: the result of the op of this name, or an argument of the run."""

    name: str
    required: bool


@dataclass(frozen=True, eq=False)
class Op:
    """One step of a job. Made by `op`; calling it calls its function, as a test would."""

    name: str
    function: Callable[..., object]
    pools: Mapping[str, int]  # slots of each pool while it runs
    tags: Mapping[str, str]  # what the limits inside a run count by
    priority: int  # the higher, the earlier
    retries: int  # attempts after the first
    retry_delay: float  # seconds between two attempts
    after: tuple[str, ...]  # names of ops that come before it without giving it anything
    parameters: tuple[Parameter, ...]
    is_async: bool
    description: str = field(repr=False)

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Call the function itself, here and now, without limits."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        pools = "".join(f", {slots} of {pool}" for pool, slots in self.pools.items())
        return f"<Op {self.name}{pools}>"


@overload
def op(function: Callable[..., object], /) -> Op: ...
@overload
def op(
    *,
    name: str | None = ...,
    pool: str | None = ...,
    slots: int | None = ...,
    pools: Mapping[str, int] | None = ...,
    tags: Mapping[str, str] | None = ...,
    priority: int = ...,
    retries: int = ...,
    retry_delay: float = ...,
    after: Sequence[Op | str] = ...,
) -> Callable[[Callable[..., object]], Op]: ...
def op(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    pool: str | None = None,
    slots: int | None = None,
    pools: Mapping[str, int] | None = None,
    tags: Mapping[str, str] | None = None,
    priority: int = 0,
    retries: int = 0,
    retry_delay: float = 0.0,
    after: Sequence[Op | str] = (),
) -> Op | Callable[[Callable[..., object]], Op]:
    """Make an op of a function, plain or async.

    A parameter that has the name of another op of the job is its result; any other one is an argument of the run.
    While it runs it holds `slots` (1) of `pool`, or of `pools` as many as they say; between retries it holds none.
    `retry_delay` is in seconds. `after` names ops that must be over first, though they give nothing.

    Raises:
        DefinitionError: something of it cannot be used; the line says what.
    """

    def make(function: Callable[..., object]) -> Op:
        own = name if name is not None else getattr(function, "__name__", "")
        try:
            return _make(own, function, _pools(pool, slots, pools), tags or {}, priority, retries, retry_delay, after)
        except DefinitionError:
            raise
        except UsageError as error:
            raise DefinitionError(f"op {own!r}: {error}") from None

    return make if function is None else make(function)


def _make(
    name: str,
    function: Callable[..., object],
    pools: Mapping[str, int],
    tags: Mapping[str, str],
    priority: int,
    retries: int,
    retry_delay: float,
    after: Sequence[Op | str],
) -> Op:
    if not callable(function):
        raise DefinitionError(f"an op is made of a function, not of {function!r}")
    names.plain("op", name)
    names.needs_of(pools, {})
    check_tags(tags)
    check_whole("priority", priority, LOWEST, HIGHEST)
    check_whole("retries", retries, 0, MAX_RETRIES)
    if isinstance(retry_delay, bool) or not isinstance(retry_delay, int | float) or not 0 <= retry_delay <= MAX_DELAY:
        raise UsageError(f"retry_delay cannot be {retry_delay!r}: it must be seconds from 0 to {MAX_DELAY:.0f}")
    if isinstance(after, Op | str):
        after = (after,)
    return Op(
        name,
        function,
        dict(pools),
        dict(tags),
        priority,
        retries,
        float(retry_delay),
        tuple(each.name if isinstance(each, Op) else each for each in after),
        _parameters(function),
        inspect.iscoroutinefunction(function),
        inspect.getdoc(function) or "",
    )


def _pools(pool: str | None, slots: int | None, pools: Mapping[str, int] | None) -> Mapping[str, int]:
    if pools is not None:
        if pool is not None or slots is not None:
            raise UsageError("give pools={'a': 2, 'b': 1}, or pool= with slots=, not both")
        if not isinstance(pools, Mapping):
            raise UsageError(f"pools cannot be {pools!r}: it must be a mapping of pools to slots")
        return pools
    if pool is None:
        if slots is not None:
            raise UsageError("slots= needs the pool they are of: pool='NAME'")
        return {}
    return {pool: 1 if slots is None else slots}


def _parameters(function: Callable[..., object]) -> tuple[Parameter, ...]:
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(f"its parameter {parameter.name!r} cannot be given by name: give each one a name")
        found.append(Parameter(parameter.name, parameter.default is parameter.empty))
    return tuple(found)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise UsageError unless tags are text to text that a limit can count by."""
    if not isinstance(tags, Mapping):
        raise UsageError(f"tags cannot be {tags!r}: they must be a mapping of text to text")
    for key, value in tags.items():
        names.tag_limit(key)
        names.tag_value_limit(key, value)


def check_whole(what: str, value: object, least: int, most: int) -> None:
    """Raise UsageError unless a value is a whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        shown = repr(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
        raise UsageError(f"{what} cannot be {shown}: it must be a whole number from {least:,} to {most:,}")
