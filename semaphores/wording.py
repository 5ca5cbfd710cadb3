"""Wording: how limits and spans of time are shown to people. The only place that knows.

Invariant: nothing that comes from a server or a file reaches a terminal with its control characters.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["printable", "readable", "seconds", "shown"]

_ESCAPED = re.compile(r"(?:%[0-9A-F]{2})+")
_RESERVED = ("pool:%2A", "=%2A")  # a pool or value that is called '*': decoded it would look like the rule


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


def printable(text: str) -> str:
    """Return text without anything that a terminal would obey: control and direction characters are spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == " " else _spelt(char) for char in text)


def shown(limit: str) -> str:
    """Return a stored limit as its user would write it on the command line."""
    if limit.startswith(_RESERVED[0]) or limit.endswith(_RESERVED[1]):
        return printable(limit)
    return printable(_ESCAPED.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "replace"), limit))


def _spelt(char: str) -> str:
    if unicodedata.category(char) == "Zs":  # a blank of another width
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
