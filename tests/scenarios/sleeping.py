"""A job whose op notes its process in FOLDER and waits there for the file `go`. For worker processes of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from workers import job, op


@op
def work() -> None:
    """Be at work until told to end."""
    folder = Path(os.environ["SCENARIO_FOLDER"])
    (folder / f"begun-{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    (folder / f"ended-{os.getpid()}").touch()


@job(ops=[work], max_attempts=3)
def sleeping() -> None:
    """Wait."""
