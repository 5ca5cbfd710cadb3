"""Jobs: what the fleet of the demo runs: a job that indexes files of the standard library into one SQLite database.

SEMAPHORES_DEMO_DATABASE names the database; the workers of the demo get it from whoever starts them.
"""

from __future__ import annotations

import os
from pathlib import Path

from semaphores.demo.library import Symbol, symbols_of
from semaphores.demo.store import DatabaseLocked, Store
from workers.context import context
from workers.definitions import Definitions
from workers.job import job
from workers.limits import multiprocess
from workers.op import op

__all__ = ["DATABASE", "definitions", "index"]

DATABASE = "SEMAPHORES_DEMO_DATABASE"


@op(pool="parse")
def parse(files: list[str]) -> dict[str, list[list[object]]]:
    """Find the symbols of some files."""
    found = {file: [[one.name, one.kind, one.line] for one in symbols_of(Path(file))] for file in files}
    context().log(f"{sum(map(len, found.values()))} symbols in {len(found)} files")
    return found


@op(pool="sqlite", retries=2)
def store(parse: dict[str, list[list[object]]]) -> dict[str, int]:
    """Write them, file by file: the database allows one writer, and so does the pool."""
    index, locked = Store(Path(os.environ[DATABASE])), 0
    try:
        for file, symbols in parse.items():
            rows = [Symbol(str(name), str(kind), int(str(line))) for name, kind, line in symbols]
            try:
                index.write(Path(file), rows, lambda: None)
            except DatabaseLocked:
                locked += 1
    finally:
        index.close()
    return {"files": len(parse), "symbols": sum(map(len, parse.values())), "locked": locked}


@job(ops=[parse, store], tags={"app": "index"}, max_attempts=5)
def index() -> None:
    """Index some files of the standard library."""


# In processes of their own: parsing wants a processor each, and Python 3.11 cannot build syntax trees in two threads.
definitions = Definitions(jobs=[index], executor=multiprocess(max_concurrent=1), location="standard-library")
