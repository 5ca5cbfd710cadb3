"""Stored: lines as they rest in the server, read back. `pool:database=1 token=… holder=… since=…`.

A line that cannot be read gives what it has; `doctor` is who complains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

__all__ = ["LimitInfo", "Line", "moment", "parse_info", "parse_line", "parse_needs"]

_FIELD = re.compile(r"(?:^| )(token|holder|since|order|group|revoked|run)=([^ ]*)")
_ABOUT = re.compile(r"(?:^| )(origin|version|by|at|paused_from)=([^ ]*)")


def moment(seconds: float) -> datetime:
    """Return a time of the server's clock, in seconds since 1970, as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """A lease, or a request that waits, as its session stores it."""

    slots: Mapping[str, int]  # by limit
    holder: str  # as people wrote it; stored as one word
    since: float | None  # seconds since 1970, the server's clock
    token: int | None = None
    order: int | None = None  # (4095 - priority) * 2^40 + sequence
    group: str | None = None
    revoked: str | None = None  # by whom
    run: str | None = None  # that the lease is for

    @property
    def priority(self) -> int:
        """The priority that its order carries."""
        return 4095 - (self.order >> 40) if self.order is not None else 0


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """What is known of a limit beside its capacity."""

    origin: str | None = None  # file or hand
    version: int | None = None  # config version that set it
    by: str | None = None
    at: float | None = None  # seconds since 1970
    paused_from: int | None = None  # what a pause replaced; -1: there was none
    description: str | None = None


def parse_line(line: str) -> Line:
    """Return a stored lease or request."""
    marks = list(_FIELD.finditer(line))
    found = {mark[1]: mark[2] for mark in marks}
    needs = line[: marks[0].start()] if marks else line
    since = _whole(found.get("since"))
    return Line(
        slots=parse_needs(needs),
        holder=unquote(found.get("holder", "unknown")),
        since=since / 1000 if since is not None else None,
        token=_whole(found.get("token")),
        order=_whole(found.get("order")),
        group=found.get("group"),
        revoked=unquote(found["revoked"]) if "revoked" in found else None,
        run=found.get("run"),
    )


def parse_info(line: str | None) -> LimitInfo:
    """Return what is stored of a limit: `origin=hand version=3 by=… at=… paused_from=… description=to the end`."""
    about, _, description = (" " + (line or "")).partition(" description=")
    found = {mark[1]: mark[2] for mark in _ABOUT.finditer(about)}
    paused = found.get("paused_from")
    at = _whole(found.get("at"))
    return LimitInfo(
        origin=found.get("origin"),
        version=_whole(found.get("version")),
        by=found.get("by"),
        at=float(at) if at is not None else None,
        paused_from=-1 if paused == "none" else _whole(paused),
        description=description or None,
    )


def parse_needs(needs: str) -> dict[str, int]:
    """Return what is needed, slots by limit: `pool:api=2 runs=1`."""
    slots: dict[str, int] = {}
    for need in needs.split():
        limit, _, count = need.rpartition("=")
        if limit and count.isdecimal():
            slots[limit] = int(count)
    return slots


def _whole(value: str | None) -> int | None:
    return int(value) if value is not None and re.fullmatch(r"-?\d+", value) else None
