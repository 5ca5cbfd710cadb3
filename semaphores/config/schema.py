"""Schema: the sections that are ours, key by key, and what is said when one does not fit.

One pydantic model a mapping. pydantic walks the file and finds every mistake at once; its words and its coercions are
not used: `values` checks each value, and what pydantic itself reports is put into our words here.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, ValidationError
from pydantic_core import ErrorDetails

from semaphores.config import values
from semaphores.config.problem import Path, Problem, Value, nearest, shown
from semaphores.config.settings import Granularity

__all__ = ["BELONGS", "Document", "MonitoringSection", "RedisSection", "Runs", "TagLimit", "UniqueValue", "validate"]

# Where a key belongs that people put elsewhere.
BELONGS = {
    "max_concurrent_runs": "concurrency.runs.max_concurrent_runs",
    "tag_concurrency_limits": "concurrency.runs.tag_concurrency_limits",
    "runs": "concurrency.runs",
    "pools": "concurrency.pools",
    "granularity": "concurrency.pools.granularity",
    "default_limit": "concurrency.pools.default_limit",
    "default_op_concurrency_limit": "concurrency.pools.default_limit",
    "op_granularity_run_buffer": "concurrency.pools.op_granularity_run_buffer",
    "limits": "concurrency.pools.limits",
    "max_concurrent": "the configuration of a job, at execution.config.multiprocess.max_concurrent",
}

_ONE, _EACH = "\0one", "\0each"  # what pydantic calls the two kinds of `value`; part of no path

_Capacity: TypeAlias = Annotated[int, PlainValidator(values.capacity)]
_MaybeCapacity: TypeAlias = Annotated[int | None, PlainValidator(values.capacity)]  # None: the file does not say
_Text: TypeAlias = Annotated[str, PlainValidator(values.text)]
_Seconds: TypeAlias = Annotated[float, PlainValidator(values.seconds_above_0)]
_Unused: TypeAlias = Annotated[object, PlainValidator(values.anything)]
_mapping = BeforeValidator(values.mapping_or_empty)


class Section(BaseModel):
    """A mapping of the file whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class UniqueValue(Section):
    """`value: {applyLimitPerUniqueValue: true}`: each value of the key on its own."""

    applyLimitPerUniqueValue: Annotated[bool, PlainValidator(values.switch)]  # noqa: N815 - the published format


def _kind_of_value(value: object) -> str:
    return _EACH if isinstance(value, dict) else _ONE


class TagLimit(Section):
    """One entry of `tag_concurrency_limits`."""

    key: Annotated[str, PlainValidator(values.tag_key)]
    value: Annotated[
        Annotated[str, PlainValidator(values.tag_value), Tag(_ONE)] | Annotated[UniqueValue, Tag(_EACH)],
        Discriminator(_kind_of_value),
    ] = Field(default=UniqueValue(applyLimitPerUniqueValue=False))
    limit: _Capacity
    description: _Text = ""


class Runs(Section):
    """`concurrency.runs`."""

    max_concurrent_runs: _MaybeCapacity = None
    tag_concurrency_limits: Annotated[list[TagLimit], BeforeValidator(values.list_or_empty)] = Field(
        default_factory=list
    )


class PoolLimit(Section):
    """One entry of `concurrency.pools.limits`."""

    limit: _Capacity
    description: _Text = ""


class Pools(Section):
    """`concurrency.pools`."""

    granularity: Annotated[Granularity, PlainValidator(values.granularity)] = "op"
    default_limit: _MaybeCapacity = None
    op_granularity_run_buffer: _Unused = None
    limits: Annotated[dict[str, Annotated[PoolLimit, BeforeValidator(values.limit_in_short)]], _mapping] = Field(
        default_factory=dict
    )


class Concurrency(Section):
    """`concurrency`."""

    runs: Annotated[Runs, _mapping] = Runs()
    pools: Annotated[Pools, _mapping] = Pools()


class RunQueue(Runs):
    """`run_queue`: the older place of the limits on runs."""

    dequeue_interval_seconds: _Unused = None
    dequeue_use_threads: _Unused = None
    dequeue_num_workers: _Unused = None
    max_user_code_failure_retries: _Unused = None
    user_code_failure_retry_delay: _Unused = None
    block_op_concurrency_limited_runs: _Unused = None


class MonitoringSection(Section):
    """`run_monitoring`."""

    enabled: Annotated[bool, PlainValidator(values.switch)] = False
    start_timeout_seconds: _Seconds = 180.0
    cancel_timeout_seconds: _Seconds = 180.0
    max_runtime_seconds: Annotated[float | None, PlainValidator(values.runtime)] = None
    max_resume_run_attempts: _Unused = None
    poll_interval_seconds: _Unused = None
    cancellation_thread_poll_interval_seconds: _Unused = None
    free_slots_after_run_end_seconds: _Unused = None


class RedisSection(Section):
    """`redis`."""

    url: Annotated[str | None, PlainValidator(values.url)] = None
    namespace: Annotated[str | None, PlainValidator(values.namespace)] = None
    ttl: Annotated[float | None, PlainValidator(values.ttl)] = None


class Document(Section):
    """All sections that are ours."""

    concurrency: Annotated[Concurrency, _mapping] = Concurrency()
    run_queue: Annotated[RunQueue, _mapping] = RunQueue()
    run_monitoring: Annotated[MonitoringSection, _mapping] = MonitoringSection()
    redis: Annotated[RedisSection, _mapping] = RedisSection()


def validate(
    sections: dict[str, Value], base: Path, paths: Container[Path], problems: list[Problem]
) -> Document | None:
    """Return the sections as a Document; None when something does not fit, which is added to `problems`.

    `base` is the path of the sections in their file, `paths` are all that the file has.
    """
    try:
        return Document.model_validate(sections)
    except ValidationError as error:
        problems.extend(_problem(details, base, paths) for details in error.errors(include_url=False))
        return None


def _problem(details: ErrorDetails, base: Path, paths: Container[Path]) -> Problem:
    path = tuple(part for part in details["loc"] if part not in (_ONE, _EACH))
    kind, given = details["type"], details["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, given, base)
    if kind == "missing":
        return Problem((*base, *path[:-1]), f"the key {path[-1]!r} is missing")
    if kind == values.OURS:
        context = details.get("ctx", {})
        # `database: five` was read as `database: {limit: five}`; the path is what the file says
        at = (*base, *path) if (*base, *path) in paths else (*base, *path[:-1])
        return Problem(at, str(context["text"]), str(context["hint"]))
    wanted = "a list" if kind == "list_type" else "a mapping of keys to values"
    return Problem((*base, *path), f"must be {wanted}, not {'text' if isinstance(given, str) else shown(given)}")


def _unknown_key(path: Path, given: Value, base: Path) -> Problem:
    key, around = str(path[-1]), path[:-1]
    known = list(_section_at(around).model_fields)
    meant = nearest(key, known)
    in_pools = around == ("concurrency", "pools")
    if meant:
        hint = f"did you mean '{meant}'?"
    elif key in BELONGS:
        hint = f"it belongs to {BELONGS[key]}"
    elif in_pools and (isinstance(given, dict) or (isinstance(given, int) and not isinstance(given, bool))):
        hint = f"the limit of a pool belongs under limits: did you mean 'concurrency.pools.limits.{key[:60]}'?"
    else:
        hint = f"expected {', '.join(known)}"
    return Problem((*base, *path), "unknown key", hint)


def _section_at(path: Path) -> type[Section]:
    section: type[Section] = Document
    for part in path:
        field = section.model_fields.get(part) if isinstance(part, str) else None
        found = _section_in(field.annotation) if field else None
        section = found or section  # an index, or the name of a pool: the field before gave the section already
    return section


def _section_in(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
