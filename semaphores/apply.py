"""Apply: bring a configuration into force, atomically: what the file says becomes the limits, in one audited change."""

from __future__ import annotations

from semaphores.client import Client
from semaphores.config.difference import Change, InForce, SettingChange, difference, setting_changes
from semaphores.config.settings import Config
from semaphores.errors import Refused
from semaphores.scripts.commands import LimitChange

__all__ = ["apply_config", "compare"]

TRIES = 3  # others may change limits between looking and changing


def compare(client: Client, config: Config, *, prune: bool = False) -> list[Change | SettingChange]:
    """Return what applying would do now."""
    settings = setting_changes(config, client.namespace().settings)
    return [*settings, *difference(config, _in_force(client), prune=prune)]


def apply_config(client: Client, config: Config, *, prune: bool = False) -> list[Change | SettingChange]:
    """Set what the file names, whoever set it before; `prune` deletes what came from a file and is no longer in it.

    Returns what was done and what stays. Raises Refused when others keep changing limits meanwhile.
    """
    for attempt in range(TRIES):
        version = client.namespace().config
        found = compare(client, config, prune=prune)
        wanted = [change for one in found if isinstance(one, Change) and (change := _change(one)) is not None]
        settings = {one.setting: one.after or "" for one in found if isinstance(one, SettingChange)}
        try:
            if wanted or settings:
                client.limits.change(wanted, origin="file", expect=version, settings=settings)
        except Refused as refused:
            if "conflict" not in str(refused) or attempt == TRIES - 1:
                raise
        else:
            return found
    return []


def _change(one: Change) -> LimitChange | None:
    if one.kind == "delete":
        return LimitChange(one.limit, "delete")
    if one.kind in ("add", "change") and one.after is not None:
        return LimitChange(one.limit, "set", one.after.capacity, one.after.description)
    return None


def _in_force(client: Client) -> dict[str, InForce]:
    found: dict[str, InForce] = {}
    for limit in client.limits.list():
        if limit.origin is not None:
            paused = limit.paused_from is not None
            capacity = limit.paused_from if limit.paused_from is not None else limit.capacity
            found[limit.limit] = InForce(
                -1 if capacity is None else capacity,
                limit.description or "",
                "file" if limit.origin == "file" else "hand",
                paused,
            )
    return found
