"""Spec: a run as it is asked for, checked, and as the command that submits it. Pure."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Literal

import msgpack

from semaphores.errors import InvalidName, InvalidNumber, UsageError
from semaphores.names import RUNS, encode_needs, needs_of, plain, tag_limit, tag_value_limit
from semaphores.scripts.run_commands import Submit, opaque

__all__ = ["OnConflict", "RunSpec", "new_run_id", "pack_args"]

_log = logging.getLogger("semaphores")

OnConflict = Literal["queue", "skip", "replace"]
LOWEST, HIGHEST = -4096, 4095  # priorities that fit one exact number with their order
MOST_ATTEMPTS = 1000
MOST_ARGS = 1_048_576  # bytes, packed: more belongs into a file or a table whose name is passed
PRIORITY_TAG = "dagster/priority"
RUNTIME_TAGS = ("max_runtime", "dagster/max_runtime", "dagster/max_runtime_seconds")


def new_run_id() -> str:
    """Return a new run id: 64 random bits, short enough to read and to type."""
    return token_hex(8)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run of a job. `max_runtime` in seconds, from its start; None: as long as it takes."""

    job: str
    queue: str = "default"
    location: str = "default"  # of the code; the tag `location` of each run
    tags: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)  # of its ops: held by the run at granularity `run`
    priority: int = 0  # -4096 to 4095, higher first
    args: Mapping[str, object] = field(default_factory=dict)  # what msgpack can hold
    config: Mapping[str, object] | None = None  # run config, what JSON can hold
    max_attempts: int = 3  # how often it is started when its worker is lost
    max_runtime: float | None = None
    on_conflict: OnConflict = "queue"
    conflict_tag: str | None = None  # skip and replace look at runs with the same value of this tag; None: of the job

    def command(self, run: str, by: str) -> Submit:
        """Return the command that submits it under an id. Raises InvalidName, InvalidNumber, UsageError."""
        tags = {str(key): str(value) for key, value in self.tags.items()}
        needs = {RUNS: 1, **needs_of({}, tags)}
        for key, value in (("job", plain("job", self.job)), ("location", plain("location", self.location))):
            needs[tag_limit(key)] = needs[tag_value_limit(key, value)] = 1
        runtime = self._runtime(tags)
        return Submit(
            run=plain("run", run),
            job=self.job,
            queue=plain("queue", self.queue),
            location=self.location,
            needs=encode_needs(needs),
            max_attempts=_whole("max_attempts", self.max_attempts, 1, MOST_ATTEMPTS),
            by=by,
            pools=encode_needs(needs_of(dict.fromkeys(self.pools, 1), {})) or None,
            tags=json.dumps(tags, ensure_ascii=False) if tags else None,
            priority=self._priority(tags) or None,
            args=opaque(pack_args(self.args)) if self.args else None,
            config=json.dumps(self.config) if self.config else None,
            max_runtime=None if runtime is None else max(1, round(runtime)),
            conflict=None if self.on_conflict == "queue" else self.on_conflict,
            conflict_limit=None if self.on_conflict == "queue" else self._conflict_limit(tags),
        )

    def _priority(self, tags: Mapping[str, str]) -> int:
        if self.priority or PRIORITY_TAG not in tags:
            return _whole("priority", self.priority, LOWEST, HIGHEST)
        try:
            told = int(tags[PRIORITY_TAG])
        except ValueError:
            _log.warning("tag %s=%s is no whole number: taken as 0", PRIORITY_TAG, tags[PRIORITY_TAG])
            return 0
        priority = max(LOWEST, min(HIGHEST, told))
        if priority != told:
            _log.warning("tag %s=%s is out of %d…%d: taken as %d", PRIORITY_TAG, told, LOWEST, HIGHEST, priority)
        return priority

    def _runtime(self, tags: Mapping[str, str]) -> float | None:
        for tag in RUNTIME_TAGS:
            if tag in tags:
                try:
                    span = float(tags[tag])
                except ValueError:
                    raise InvalidName("tag", f"{tag}={tags[tag]}", "a number of seconds") from None
                return _runtime_of(span)
        return None if self.max_runtime is None else _runtime_of(self.max_runtime)

    def _conflict_limit(self, tags: Mapping[str, str]) -> str:
        if self.conflict_tag is None:
            return tag_value_limit("job", self.job)
        if self.conflict_tag not in tags:
            raise UsageError(f"on_conflict looks at tag {self.conflict_tag!r}, which this run does not have")
        return tag_value_limit(self.conflict_tag, tags[self.conflict_tag])


def pack_args(args: Mapping[str, object]) -> bytes:
    """Return a run's arguments packed. Raises UsageError for what msgpack cannot hold, naming the argument."""
    for name, value in args.items():
        try:
            msgpack.packb(value, datetime=True)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(
                f"argument {name!r} cannot be packed ({type(value).__name__}: {error}); pass a path or a key instead"
            ) from None
    packed: bytes = msgpack.packb(dict(args), datetime=True)
    if len(packed) > MOST_ARGS:
        raise UsageError(f"the arguments take {len(packed)} bytes, at most {MOST_ARGS}; pass a path or a key instead")
    return packed


def _runtime_of(span: float) -> float:
    if isinstance(span, bool) or not 0 < span <= 10**9:
        raise InvalidNumber("max_runtime", span, "a number of seconds above 0")
    return span


def _whole(what: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidNumber(what, value, f"a whole number from {low} to {high}")
    return value
