"""Folder: where the Lua scripts are. The only place that knows.

A wheel carries the top-level lua/ folder as semaphores/lua; a checkout (also installed editable) has it beside the
package. Both hold the same files under the same names.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from semaphores.errors import SemaphoresError

__all__ = ["lua_folder"]


def lua_folder() -> Traversable:
    """Return the folder that holds `prelude/`, `commands/` and `read/`.

    Raises SemaphoresError when the installation lacks it.
    """
    package = files("semaphores")
    installed = package / "lua"
    if installed.is_dir():
        return installed
    beside = Path(__file__).resolve().parents[2] / "lua"
    if beside.is_dir():
        return beside
    raise SemaphoresError(f"the Lua scripts are missing from {package}: install redis-semaphores again")
