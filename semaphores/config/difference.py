"""Difference: what applying a configuration would do to the limits in force. Pure: nothing is read or written here.

A file sets what it names, whoever set it before. What it does not name goes only if a file once set it and pruning was
asked for; what a person set by hand is listed and stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from semaphores.config.settings import Config
from semaphores.wording import readable

__all__ = ["Change", "InForce", "Kind", "Origin", "SettingChange", "difference", "setting_changes"]

Origin = Literal["file", "hand"]
Kind = Literal["add", "change", "delete", "keep-by-hand", "keep-unless-pruned"]


@dataclass(frozen=True)
class InForce:
    """A limit as the server has it. While it is paused, `capacity` is the one that resuming brings back."""

    capacity: int  # slots; 0 pauses, -1 is unlimited
    description: str = ""
    origin: Origin = "hand"
    paused: bool = False


@dataclass(frozen=True)
class Change:
    """What applying does to one limit. `before` is None when it is new, `after` when it goes; equal when it stays."""

    limit: str
    before: InForce | None
    after: InForce | None
    kind: Kind

    def __str__(self) -> str:
        name = readable(self.limit)
        if self.before is None:
            return f"add {name}: {_said(self.after)}"
        if self.after is None:
            return f"delete {name} (was {_said(self.before)})"
        if self.kind == "keep-by-hand":
            return f"keep {name}: {_said(self.after)}, set by hand"
        if self.kind == "keep-unless-pruned":
            return f"keep {name}: {_said(self.after)}, no longer in the file; --prune deletes it"
        return f"change {name}: {', '.join(self._changes(self.before, self.after))}"

    def _changes(self, before: InForce, after: InForce) -> list[str]:
        changes = []
        if before.capacity != after.capacity:
            paused = ", once it is resumed" if after.paused else ""
            changes.append(f"{_said(before)} -> {_said(after)}{paused}")
        if before.description != after.description:
            changes.append(f"description {after.description!r}")
        if before.origin != after.origin:
            changes.append("was set by hand, now by the file")
        return changes


@dataclass(frozen=True)
class SettingChange:
    """What applying does to one setting of runs. None: there is none."""

    setting: str
    before: str | None
    after: str | None
    kind: Literal["set"] = "set"

    def __str__(self) -> str:
        name, unit = self.setting.replace("_", " "), "" if self.setting == "granularity" else " s"
        if self.after is None:
            return f"no {name} any more (was {self.before}{unit})"
        was = "" if self.before is None else f"{self.before}{unit} -> "
        return f"set {name}: {was}{self.after}{unit}"


def setting_changes(config: Config, in_force: Mapping[str, str]) -> list[SettingChange]:
    """Return what applying `config` would do to the settings of runs. What the file does not name stays."""
    wanted = [(name, in_force.get(name), value or None) for name, value in sorted(config.settings.items())]
    return [SettingChange(name, before, after) for name, before, after in wanted if before != after]


def difference(config: Config, in_force: Mapping[str, InForce], *, prune: bool) -> list[Change]:
    """Return what applying `config` would do, in the order of limit names. What already is as it says is left out.

    `prune` deletes limits that a file once set and this one does not name; without it they are listed and stay.
    """
    changes = []
    for limit in sorted({*config.limits, *in_force}):
        before, wanted = in_force.get(limit), config.limits.get(limit)
        if wanted is not None:
            after = InForce(wanted.capacity, wanted.description, "file", before is not None and before.paused)
            if before != after:
                changes.append(Change(limit, before, after, "add" if before is None else "change"))
        elif before is not None:
            changes.append(_left_over(limit, before, prune=prune))
    return changes


def _left_over(limit: str, before: InForce, *, prune: bool) -> Change:
    if before.origin != "file":
        return Change(limit, before, before, "keep-by-hand")
    return Change(limit, before, None, "delete") if prune else Change(limit, before, before, "keep-unless-pruned")


def _said(limit: InForce | None) -> str:
    if limit is None or limit.capacity == -1:
        return "unlimited"
    return "0 (paused)" if limit.capacity == 0 else str(limit.capacity)
