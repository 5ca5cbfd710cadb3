"""Changing: the verbs that `pool` and `limit` share: set, get, delete, pause, resume, and what is said about them."""

from __future__ import annotations

from semaphores.cli.columns import capacity_text
from semaphores.cli.render import json_text, line, show
from semaphores.cli.words import nearest, shown
from semaphores.client import Client
from semaphores.errors import NotFound, Refused
from semaphores.limits import Changed
from semaphores.status import LimitStatus

__all__ = ["delete", "get", "known_limit", "pause", "resume", "set_capacity"]


def known_limit(client: Client, limit: str) -> LimitStatus:
    """Return a limit by its stored name. Raises NotFound with the nearest known one, as people write them."""
    known = {one.limit: one for one in client.limits.list()}
    if limit in known:
        return known[limit]
    kind, _, rest = shown(limit).partition(":")
    alike = {shown(one).partition(":")[2]: one for one in known if one.partition(":")[0] == kind}
    meant = nearest(rest, alike)
    if meant is None:  # perhaps of another kind: `pool:team` for `tag:team`
        every = {shown(one).partition(":")[2] or one: shown(one) for one in known}
        raise NotFound("limit", shown(limit), every.get(nearest(rest or kind, every) or ""))
    raise NotFound(kind, rest, meant)


def get(client: Client, limit: str, *, as_json: bool) -> None:
    """Print one limit."""
    found = known_limit(client, limit)
    if as_json:
        print(json_text(found))
    else:
        show([found], as_json=False, empty="")


def set_capacity(client: Client, limit: str, capacity: int, description: str | None) -> None:
    """Set a capacity, and say what that means now."""
    done = client.limits.set(limit, capacity, description=description)
    if done.paused_from is not None:
        line(f"{shown(limit)} is paused: {_slots(capacity)} once it is resumed ('resume')")
        return
    before = "" if done.before == done.after else f" (was {capacity_text(done.before)})"
    line(f"{shown(limit)}: {_slots(capacity)}{before}")
    if capacity == 0:
        line("nothing more starts under it until another capacity is set; 'pause' would remember the old one")


def delete(client: Client, limit: str) -> None:
    """Delete a limit."""
    try:
        done = client.limits.delete(limit)
    except NotFound:
        found = known_limit(client, limit)
        raise Refused(f"{shown(limit)} has no limit of its own to delete{_governed(found)}") from None
    line(f"{shown(limit)}: deleted (was {_before(done)})")


def pause(client: Client, limit: str) -> None:
    """Pause a limit. One that is not known is refused: it is probably misspelt, and would be missed."""
    found = known_limit(client, limit)
    done = client.limits.pause(limit)
    held = f"; {found.used} slots are still held" if found.used else ""
    if found.paused_from is not None:
        line(f"{shown(limit)} was paused already: 'resume' brings back {_remembered(done)}{held}")
    else:
        line(f"{shown(limit)} is paused: 'resume' brings back {_remembered(done)}{held}")


def resume(client: Client, limit: str) -> None:
    """Resume a paused limit. Refused with the reason when nothing is remembered."""
    found = known_limit(client, limit)
    if found.paused_from is None and found.paused and not found.default:
        raise Refused(
            f"{shown(limit)} was not paused but set to 0, so there is no capacity to come back to:"
            f" set one, as in 'semaphores limit set {shown(limit)} 5'"
        )
    if found.paused_from is None:
        raise Refused(f"{shown(limit)} is not paused: its capacity is {capacity_text(found.capacity)}")
    done = client.limits.resume(limit)
    line(f"{shown(limit)} goes on: {_slots(-1 if done.after is None else done.after)}")


def _slots(capacity: int) -> str:
    return "unlimited" if capacity < 0 else "1 slot" if capacity == 1 else f"{capacity} slots"


def _before(done: Changed) -> str:
    if done.paused_from is not None or done.before is None:
        return "unlimited" if done.before is None else "paused"
    return _slots(done.before)


def _remembered(done: Changed) -> str:
    if done.paused_from is None or done.paused_from < 0:
        return "no limit of its own"
    return _slots(done.paused_from)


def _governed(found: LimitStatus) -> str:
    return ": its capacity is the default ('*')" if found.default else ""
