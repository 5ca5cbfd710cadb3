"""Trace: an op's error as lines for people. The frames of this package and of what carries it are left out."""

from __future__ import annotations

import traceback
from pathlib import Path

from semaphores.errors import SemaphoresError

__all__ = ["line_of", "trace_of"]

_OURS = (f"{Path(__file__).parent.parent}/", "/anyio/", "/asyncio/", "/threading.py")
MOST_LINES = 60  # of one trace; the innermost ones are kept


def line_of(error: BaseException) -> str:
    """Return an error as one line."""
    text = " ".join(str(error).split())
    if isinstance(error, SemaphoresError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def trace_of(error: BaseException) -> list[str]:
    """Return the lines of an error's traceback, from the op's own code on."""
    at = error.__traceback__
    while at is not None and any(part in at.tb_frame.f_code.co_filename for part in _OURS):
        at = at.tb_next
    if at is None:  # it was raised by us: its line says all
        return []
    text = "".join(traceback.format_exception(type(error), error, at))
    return text.splitlines()[-MOST_LINES:]
