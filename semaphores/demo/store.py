"""Store: the index in one SQLite database, which allows one writer: a second one is told 'database is locked'.

Invariant: a file's symbols are written in one transaction, so a writer that dies leaves nothing of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from semaphores.demo.library import Symbol

__all__ = ["DatabaseLocked", "Store", "create", "symbols_by_file"]

# Seconds that a writer waits for another one. Programs that wait long only see the error later, under more load; the
# demo waits for about the time of one write, so that a moment is enough to see it.
PATIENCE = 0.005

_SCHEMA = """
    CREATE TABLE files (file TEXT PRIMARY KEY, symbols INTEGER NOT NULL);
    CREATE TABLE symbols (file TEXT NOT NULL, line INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL);
    CREATE INDEX symbols_by_file ON symbols (file);
    CREATE INDEX symbols_by_name ON symbols (name);
"""


class DatabaseLocked(Exception):
    """Report that another process was writing."""


def create(path: Path) -> None:
    """Make an empty index."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_SCHEMA)


def symbols_by_file(path: Path) -> dict[str, tuple[int, int]]:
    """Return how many symbols of each file were announced, and how many are there."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT files.file, files.symbols, count(symbols.file) FROM files"
            " LEFT JOIN symbols ON symbols.file = files.file GROUP BY files.file"
        )
        return {str(file): (int(announced), int(there)) for file, announced, there in rows}


class Store:
    """The index, as one process writes it."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)

    def write(self, file: Path, symbols: Sequence[Symbol], before_commit: Callable[[], None]) -> None:
        """Write what was found in a file, in place of what was there. Raises DatabaseLocked; then nothing changed."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM symbols WHERE file = ?", (str(file),))
            self._database.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (str(file), len(symbols)))
            rows = ((str(file), symbol.line, symbol.kind, symbol.name) for symbol in symbols)
            self._database.executemany("INSERT INTO symbols VALUES (?, ?, ?, ?)", rows)
            before_commit()
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise DatabaseLocked(str(error)) from None
            raise

    def close(self) -> None:
        """Close the database."""
        self._database.close()
