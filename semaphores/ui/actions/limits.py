"""Limits: setting, deleting, pausing and resuming limits, and taking a lease from its holder."""

from __future__ import annotations

import re
from collections.abc import Mapping

from semaphores.errors import InvalidName, InvalidNumber, UsageError
from semaphores.names import MAX_CAPACITY, capacity
from semaphores.ui.actions.done import Done
from semaphores.ui.desk import Desk
from semaphores.ui.query import address, local
from semaphores.ui.rendering import Shown
from semaphores.ui.views.edit import KINDS, form, limit_of
from semaphores.ui.views.limit import known_name
from semaphores.ui.words import plural
from semaphores.wording import shown

__all__ = ["delete_limit", "pause", "release", "resume", "set_limit"]

LONGEST = 1000  # characters of a description


def set_limit(desk: Desk, told: Mapping[str, str]) -> Done | Shown:
    """Set a limit's capacity and description, or return the form with what is wrong."""
    problems: dict[str, str] = {}
    limit = slots = None
    try:
        limit = known_name(told["limit"]) if told.get("limit") else _limit(told)
    except UsageError as error:
        problems["name"] = _short(error)
    try:
        slots = _capacity(told.get("capacity", ""))
    except UsageError as error:
        problems["capacity"] = _short(error)
    description = told.get("description", "")
    if len(description) > LONGEST:
        problems["description"] = f"at most {LONGEST} characters"
    if limit is None or slots is None or problems:
        return form(told, problems)
    done = desk.client.limits.set(limit, slots, description=description)
    said = "unlimited" if slots < 0 else plural(slots, "slot")
    if done.paused_from is not None:
        return Done(f"{shown(limit)} is paused: {said} once it is resumed", address("/limit", name=limit))
    return Done(f"{shown(limit)}: {said}", address("/limit", name=limit))


def delete_limit(desk: Desk, told: Mapping[str, str]) -> Done:
    """Delete a limit. Raises NotFound."""
    name = known_name(told.get("name", ""))
    desk.client.limits.delete(name)
    return Done(f"the limit of {shown(name)} is deleted: what waited for it goes on", local(told.get("back", "")))


def pause(desk: Desk, told: Mapping[str, str]) -> Done:
    """Let nothing more start under a limit."""
    name = known_name(told.get("name", ""))
    desk.client.limits.pause(name)
    return Done(f"{shown(name)} is paused: nothing more starts; who holds slots keeps them", _back(told, name))


def resume(desk: Desk, told: Mapping[str, str]) -> Done:
    """Let a paused limit go on. Raises Refused when it is not paused."""
    name = known_name(told.get("name", ""))
    done = desk.client.limits.resume(name)
    said = "unlimited" if done.after is None else plural(done.after, "slot")
    return Done(f"{shown(name)} goes on: {said}", _back(told, name))


def release(desk: Desk, told: Mapping[str, str]) -> Done:
    """Take a lease from its holder. Raises NotFound."""
    freed = desk.client.release(told.get("lease", ""), now=told.get("now") == "1")
    told_so = "its holder is told, and its slots are free when it answers, or when its time is over"
    text = "its slots are free" if freed else told_so
    return Done(f"lease {told.get('lease', '')}: {text}", local(told.get("back", "")))


def _limit(told: Mapping[str, str]) -> str:
    kind = told.get("kind", "")
    if kind not in KINDS:
        raise InvalidName("kind", kind, "one of the list")
    return limit_of(kind, told.get("name", ""))


def _capacity(text: str) -> int:
    words = text.strip().lower()
    if words in ("unlimited", "∞"):
        return -1
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", words, re.ASCII):
        raise InvalidNumber("limit", text, f"a whole number from 0 to {MAX_CAPACITY}, or -1 for unlimited")
    return capacity(int(words))


def _back(told: Mapping[str, str], name: str) -> str:
    return local(told.get("back", ""), address("/limit", name=name))


def _short(error: UsageError) -> str:
    return f"It must be {error.wanted}." if isinstance(error, InvalidName | InvalidNumber) else str(error)
