"""Words: how the page shows spans, times, names and numbers. Pure; every one is a filter of the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from markupsafe import Markup, escape

from semaphores.wording import printable, seconds, shown

__all__ = ["FILTERS", "finalize"]

_STATES = {
    "full": "full",
    "paused": "paused: nothing is granted until it is resumed",
    "line": "others are before it in line",
    "reserved": "kept free for a request that was passed over too often",
    "heavy": "asks for more slots than the limit has",
    "free": "its turn comes now",
}


def finalize(value: object) -> object:
    """Return what a template writes: control and direction characters of names are spelt out, nothing is `None`."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else printable(value) if isinstance(value, str) else value


def exact(value: str) -> Markup:
    """Return text that a form sends back as it is: what does not print is written by its number."""
    known = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Markup("".join(escape(char) if char.isprintable() else f"&#{ord(char)};" for char in known))


def age(span: float | None) -> str:
    """Return a span as people say it."""
    return "–" if span is None else "now" if span < 1 else seconds(span).replace(".0 s", " s")


def ago(span: float | None) -> str:
    """Return how long ago something was."""
    return "never" if span is None else "now" if span < 1 else f"{age(span)} ago"


def since(moment: datetime | None) -> str:
    """Return how long ago a time was."""
    return "–" if moment is None else age(max(0.0, (datetime.now(UTC) - moment).total_seconds()))


def between(begun: datetime | None, ended: datetime | None) -> str:
    """Return a span between two times; up to now where it has not ended."""
    if begun is None:
        return "–"
    span = max(0.0, ((ended or datetime.now(UTC)) - begun).total_seconds())
    return f"{span:.1f} s" if span < 10 else age(span)


def clock(moment: datetime | None) -> str:
    """Return a time as the page writes it: UTC, to the second."""
    return "–" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def clock_fine(moment: datetime) -> str:
    """Return the time of day of a line of a log, to the millisecond."""
    return f"{moment.astimezone(UTC):%H:%M:%S}.{moment.microsecond // 1000:03d}"


def iso(moment: datetime | None) -> str:
    """Return a time for machines."""
    return "" if moment is None else moment.isoformat()


def kind(limit: str) -> str:
    """Return the kind of a stored limit: runs, pool or tag."""
    return limit.partition(":")[0]


def name(limit: str) -> str:
    """Return the name of a stored limit without its kind, as people wrote it."""
    return shown(limit).partition(":")[2] or "all runs"


def slots(held: Mapping[str, int]) -> str:
    """Return slots by limit on one line."""
    return ", ".join(shown(limit) + (f" × {count}" if count > 1 else "") for limit, count in sorted(held.items()))


def state(word: str) -> str:
    """Return the state of a limit for a request, in words."""
    return _STATES.get(word, word)


def capacity(slots_: int | None) -> str:
    """Return a capacity."""
    return "∞" if slots_ is None else f"{slots_:,}".replace(",", "\u202f")


def count(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def plural(number: int, one: str, many: str = "") -> str:
    """Return a number and its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def shell(text: str) -> str:
    """Return text as a word of a shell command that people may copy."""
    plain = text and all(char.isalnum() or char in "_.:/=@-" for char in text) and text.isascii()
    return text if plain else "'" + text.replace("'", "'\\''") + "'"


FILTERS: Mapping[str, Callable[..., object]] = {
    each.__name__: each
    for each in (
        *(exact, age, ago, since, between, clock, clock_fine, iso, kind, name, slots, state, capacity, count, plural),
        *(shell, shown),
    )
}
