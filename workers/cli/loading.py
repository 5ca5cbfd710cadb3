"""Loading: the jobs of a module, where whatever its code raises is told in one line with the place it came from."""

from __future__ import annotations

import traceback

from semaphores.errors import SemaphoresError, UsageError
from workers.definitions import Location, load

__all__ = ["load_location"]


def load_location(module: str) -> Location:
    """Import a module, or a file, and return its jobs. Raises UsageError."""
    try:
        return load(module)
    except SemaphoresError:
        raise
    except (Exception, SystemExit) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{module!r} cannot be imported: {told}{_place(error)}") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return ""  # its text says where
    frames = traceback.extract_tb(error.__traceback__)
    return f", in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
