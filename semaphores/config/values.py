"""Values: what a single value of the file may be, and the words when it is something else.

Each function takes a value as the tree gives it and returns it as the settings want it, or raises through `wrong`.
Nothing is coerced, except that what came from the environment is always text and may stand for a number.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

from pydantic_core import PydanticCustomError

from semaphores import names
from semaphores.config.problem import Substituted, Value, nearest, shown
from semaphores.config.settings import Granularity
from semaphores.errors import InvalidName

__all__ = ["OURS", "wrong"]

OURS = "semaphores"  # the type of errors whose context holds our own words

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_CAPACITY = f"a whole number from 0 (nothing may start) to {names.MAX_CAPACITY}, or -1 (unlimited)"
_LONGEST_WAIT = 1e9  # seconds; 31 years, and still exact in microseconds


def wrong(text: str, hint: str = "") -> NoReturn:
    """Refuse a value in our words."""
    raise PydanticCustomError(OURS, "{text}", {"text": text, "hint": hint})


def capacity(value: Value) -> int:
    """Accept a limit: 0 pauses, -1 is unlimited."""
    number = _from_environment(value)
    if isinstance(number, bool) or not isinstance(number, int) or not -1 <= number <= names.MAX_CAPACITY:
        hint = "leave the key out, or write -1, for unlimited" if value is None else ""
        wrong(f"must be {_CAPACITY}, not {shown(value)}", hint)
    return number


def seconds_above_0(value: Value) -> float:
    """Accept a span of time that some work must be given."""
    return _seconds(value, lowest=0.0, wanted="a number of seconds above 0")


def runtime(value: Value) -> float | None:
    """Accept the longest time a run may take; 0 is as long as it takes."""
    if value in (0, "0") and not isinstance(value, bool):
        return None
    return _seconds(value, lowest=0.0, wanted="a number of seconds above 0, or 0 for no limit")


def ttl(value: Value) -> float:
    """Accept the life of a session without heartbeat: 1 to 60 seconds."""
    number = _number(value)
    if number is None or not 1 <= number <= 60:
        wrong(f"must be a number of seconds from 1 to 60, not {shown(value)}")
    return number


def text(value: Value) -> str:
    """Accept text and nothing that only looks like it."""
    if not isinstance(value, str):
        quoted = isinstance(value, int | float) and not isinstance(value, bool)
        wrong(f"must be text, not {shown(value)}", f'put it in quotes: "{value}"' if quoted else "")
    return str(value)


def tag_key(value: Value) -> str:
    """Accept the key of a tag."""
    key = text(value)
    try:
        names.tag_limit(key)
    except InvalidName as error:
        wrong(f"must be {error.wanted}, not {shown(value)}")
    return key


def tag_value(value: Value) -> str:
    """Accept one value of a tag."""
    if value == "*":
        wrong("'*' is no value of a tag", "to limit each value on its own: value: {applyLimitPerUniqueValue: true}")
    return text(value)


def namespace(value: Value) -> str:
    """Accept the name of a namespace."""
    name = text(value)
    try:
        return names.plain("namespace", name)
    except InvalidName as error:
        wrong(f"must be {error.wanted}, not {shown(value)}")


def url(value: Value) -> str:
    """Accept what looks like the address of a server. It may hold a password, so no error repeats it."""
    if not isinstance(value, str) or "://" not in value:
        wrong("must be the address of a server", "such as redis://localhost:6379/0 or unix:///run/valkey.sock")
    return str(value)


def switch(value: Value) -> bool:
    """Accept true or false."""
    plain: Value = value
    if isinstance(value, Substituted):
        plain = {"true": True, "false": False}.get(value.strip().lower())
    if not isinstance(plain, bool):
        wrong(f"must be true or false, not {shown(value)}")
    return plain


def granularity(value: Value) -> Granularity:
    """Accept what holds a pool's slot: an op, or the whole run."""
    if value == "op":
        return "op"
    if value == "run":
        return "run"
    meant = nearest(value, ("op", "run")) if isinstance(value, str) else None
    wrong(f"must be 'op' or 'run', not {shown(value)}", f"did you mean '{meant}'?" if meant else "")


def anything(value: Value) -> Value:
    """Accept what is read and not used."""
    return value


def mapping_or_empty(value: Value) -> Value:
    """Take a section with nothing in it for an empty one."""
    return {} if value is None else value


def list_or_empty(value: Value) -> Value:
    """Take a list with nothing in it for an empty one."""
    return [] if value is None else value


def limit_in_short(value: Value) -> Value:
    """Take `database: 5` for `database: {limit: 5}`."""
    return value if isinstance(value, dict) else {"limit": value}


def _seconds(value: Value, *, lowest: float, wanted: str) -> float:
    number = _number(value)
    if number is None or not lowest < number <= _LONGEST_WAIT:
        wrong(f"must be {wanted}, not {shown(value)}")
    return number


def _number(value: Value) -> float | None:
    given = _from_environment(value)
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if isinstance(given, int) and abs(given) > _LONGEST_WAIT:
        return None
    return float(given) if math.isfinite(given) else None


def _from_environment(value: Value) -> Value:
    """Return the number that a text from the environment stands for; anything else as it is."""
    if not isinstance(value, Substituted):
        return value
    plain = value.strip()
    if _WHOLE.fullmatch(plain):
        return int(plain)
    try:
        return float(plain) if plain.isascii() and "_" not in plain else value
    except ValueError:
        return value
