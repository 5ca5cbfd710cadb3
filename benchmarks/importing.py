"""Importing: what `from semaphores import pool` costs a program at its start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Figure, Site, p50

TIMES = 7
_TIMED = "import time; begun = time.perf_counter(); {}; print(time.perf_counter() - begun)"

FIGURES = (
    Figure("redis", "`import redis.asyncio`, for comparison", "ms"),
    Figure("ours", "`from semaphores import pool`", "ms", bound="redis-py, anyio and asyncio are most of it"),
    Figure("ratio", "the same, against redis.asyncio", "×", "light", "no pydantic, typer, rich or psutil in it"),
)


def run(site: Site) -> Mapping[str, float]:
    """Take each figure once."""
    pairs = [
        (_import("import redis.asyncio"), _import("from semaphores import pool"))
        for _ in range(min(TIMES, site.size.pairs // 20 + 1))
    ]
    bare, ours = p50([pair[0] for pair in pairs]), p50([pair[1] for pair in pairs])
    return {"redis": bare * 1e3, "ours": ours * 1e3, "ratio": ours / bare}


def _import(statement: str) -> float:
    """Return seconds that an import statement takes in a fresh interpreter."""
    words = [sys.executable, "-c", _TIMED.format(statement)]
    root = Path(__file__).parent.parent
    return float(subprocess.run(words, capture_output=True, text=True, check=True, cwd=root).stdout)
