"""Command line: `semaphores`. One file a noun; `render` shows any view; `entry` turns errors into exit codes.

Nothing below this room knows of typer or rich, and nothing here knows of Redis. This file stays light: `--version` is
answered before anything else is imported.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    words = sys.argv[1:]
    if words[:1] in (["--version"], ["-V"]):
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"semaphores {version('redis-semaphores')}")
        except PackageNotFoundError:  # run from a checkout that was never installed
            print("semaphores (not installed)")
        sys.exit(0)
    from semaphores.cli.entry import run

    sys.exit(run(words))
