"""Words: how people write limits on the command line, how they are shown to them, and what a mistyped one meant.

Invariant: nothing that comes from a server or a file reaches a terminal with its control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from semaphores.errors import InvalidNumber, UsageError
from semaphores.names import (
    DEFAULT_POOL,
    MAX_CAPACITY,
    RUNS,
    capacity,
    pool_limit,
    tag_limit,
    tag_value_limit,
    unique_value_limit,
)
from semaphores.wording import printable, shown

__all__ = ["capacity_of", "limit_of", "nearest", "pool_of", "printable", "shown", "shown_slots", "tags_of"]

_KINDS = "runs, pool:NAME, pool:*, tag:KEY, tag:KEY=VALUE or tag:KEY=*"


def limit_of(text: str) -> str:
    """Return the stored name of a limit as a person writes it: `runs`, `pool:my pool`, `tag:team=growth`, `tag:team=*`.

    Raises UsageError.
    """
    kind, colon, rest = text.partition(":")
    if text == RUNS:
        return RUNS
    if kind == "pool" and colon:
        return pool_of(rest)
    if kind == "tag" and colon:
        key, equals, value = rest.partition("=")
        if not equals:
            return tag_limit(key)
        return unique_value_limit(key) if value == "*" else tag_value_limit(key, value)
    meant = "" if colon else f"; did you mean 'pool:{text}'?"
    raise UsageError(f"{text!r} is not a limit: write {_KINDS}{meant}")


def pool_of(name: str) -> str:
    """Return the stored name of a pool's limit; `*` is the default of all pools without one. Raises InvalidName."""
    return DEFAULT_POOL if name == "*" else pool_limit(name)


def capacity_of(text: str) -> int:
    """Return a capacity in slots as a person writes it; `unlimited` is -1. Raises InvalidNumber."""
    if text == "unlimited":
        return -1
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text, re.ASCII):
        wanted = f"a whole number from 0 (nothing may start) to {MAX_CAPACITY}, or -1 (unlimited)"
        raise InvalidNumber("limit", text, wanted)
    return capacity(int(text))


def tags_of(words: Iterable[str]) -> dict[str, str]:
    """Return tags from `KEY=VALUE` words. Raises UsageError."""
    tags: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"tag {word!r} has no value: write --tag KEY=VALUE")
        if tags.get(key, value) != value:
            raise UsageError(f"tag {key!r} is given two values, {tags[key]!r} and {value!r}")
        tags[key] = value
    return tags


def shown_slots(slots: Mapping[str, int]) -> str:
    """Return slots by limit on one line: `pool:api x 2, pool:database`."""
    return ", ".join(shown(limit) + (f" x {count}" if count > 1 else "") for limit, count in sorted(slots.items()))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.6)), None)
