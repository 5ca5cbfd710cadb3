"""Limits: set, delete, pause and resume them, atomically, versioned and audited. A running fleet obeys at once.

Each verb is a generator of one command, so that threads and loops share it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from semaphores.errors import NotFound, Refused
from semaphores.names import capacity as checked_capacity
from semaphores.scripts.answers import error_of
from semaphores.scripts.call import Answer
from semaphores.scripts.commands import ChangeLimits, Command, LimitChange
from semaphores.session.process import user
from semaphores.wording import readable

__all__ = ["Changed", "Changing", "change", "delete", "pause", "resume", "set_capacity"]

MOST_CHANGES = 2_000  # in one atomic change: a file of that many limits is applied in some 20 ms


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change did to one limit. Capacities in slots; None: unlimited."""

    limit: str
    before: int | None
    after: int | None
    paused_from: int | None  # what `resume` brings back, -1 for none; None: it is not paused


Changing = Generator[Command, Answer, tuple[Changed, ...]]


def set_capacity(limit: str, capacity: int, description: str | None = None) -> Changing:
    """Set a capacity in slots (0: nothing may start; -1: unlimited). On a paused limit it takes effect at `resume`."""
    return change([LimitChange(limit, "set", checked_capacity(capacity), _one_line(description))])


def delete(limit: str) -> Changing:
    """Delete a limit; what waits for it goes on at once. Raises NotFound."""
    return change([LimitChange(limit, "delete")])


def pause(limit: str) -> Changing:
    """Let nothing more start under a limit, and remember its capacity. Who holds slots keeps them."""
    return change([LimitChange(limit, "pause")])


def resume(limit: str) -> Changing:
    """Give a paused limit back what it had. Raises Refused when it was not paused."""
    return change([LimitChange(limit, "resume")])


def change(
    changes: Sequence[LimitChange],
    origin: Literal["file", "hand"] = "hand",
    expect: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Changing:
    """Change limits and settings of runs, all or nothing. `expect`: the config version that the changes were made for.

    Raises NotFound, Refused; Refused with the word 'conflict' when the version is another one by now.
    """
    if len(changes) > MOST_CHANGES:
        raise Refused(f"{len(changes)} changes at once are too many: at most {MOST_CHANGES}")
    fields = [{name: value for name in one.__slots__ if (value := getattr(one, name)) is not None} for one in changes]
    answer = yield ChangeLimits(fields, origin, user(), expect, settings)
    if answer["answer"] == "changed":
        done = answer.get("changes")
        return tuple(_changed(one) for one in done) if isinstance(done, list) else ()
    raise _refusal(answer)


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that was probably meant."""
    found = get_close_matches(name, known, 1)
    return found[0] if found else None


def _refusal(answer: Answer) -> Exception:
    limit = str(answer.get("limit", ""))
    if answer["answer"] == "missing":
        return NotFound("limit", readable(limit))
    if answer["answer"] == "unpaused":
        return Refused(f"{readable(limit)} is not paused: set its capacity instead")
    if answer["answer"] == "conflict":
        return Refused("conflict: the limits were changed by somebody else meanwhile; look again and retry")
    return error_of(answer)


def _changed(fields: Mapping[str, object]) -> Changed:
    return Changed(
        str(fields["limit"]),
        _capacity(fields.get("before")),
        _capacity(fields.get("after")),
        None
        if "paused_from" not in fields
        else -1
        if fields["paused_from"] == "none"
        else int(str(fields["paused_from"])),
    )


def _capacity(value: object) -> int | None:
    return None if value is None or int(str(value)) < 0 else int(str(value))


def _one_line(description: str | None) -> str | None:
    return None if description is None else " ".join(description.split())
