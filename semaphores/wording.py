"""Wording: how limits and spans of time are shown to people. The only place that knows."""

from __future__ import annotations

import re

__all__ = ["readable", "seconds"]

_ESCAPED = re.compile(r"(?:%[0-9A-F]{2})+")


def seconds(span: float) -> str:
    """Return a span as people say it: `0.3 s`, `41 s`, `5 min`, `3.2 h`."""
    if span < 10:
        return f"{span:.1f} s"
    if span < 120:
        return f"{span:.0f} s"
    return f"{span / 60:.0f} min" if span < 7200 else f"{span / 3600:.1f} h"


def readable(limit: str) -> str:
    """Return a limit's name as its user wrote it: `pool 'database'`, `tag 'team=growth'`, `runs`."""
    kind, _, rest = limit.partition(":")
    if not rest:
        return limit
    text = _ESCAPED.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "replace"), rest)
    return f"{kind} {text!r}"
