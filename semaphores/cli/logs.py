"""Logs: what commands that go on for long write to stderr: one event a line, as text or as JSON.

A record says what it is about by `extra={"run": ...}`; JSON has that as fields. Whoever uses this as a library sets up
`logging` as it likes: nothing but the command line imports this.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from semaphores.cli.words import printable

__all__ = ["FIELDS", "JsonLines", "LogJson", "OneLine", "log_to_stderr"]

FIELDS = ("run", "job", "op", "lease", "limit", "status")  # what an event may be about

LogJson = Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line, for a collector of logs.")]


class OneLine(logging.Formatter):
    """One line an event, whatever was logged: an error with where it came from, nothing that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(" ⏎ ".join(part for part in super().format(record).splitlines() if part.strip()))


class JsonLines(logging.Formatter):
    """One JSON object an event: time (ISO 8601 with zone), level, logger, event, what it is about, error, trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object on one line, in ASCII."""
        told: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        for field in FIELDS:
            value = getattr(record, field, None)
            if value is not None:
                told[field] = str(value)
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
            told["trace"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = record.stack_info
        return json.dumps(told)


def log_to_stderr(*, as_json: bool = False, filters: Sequence[logging.Filter] = ()) -> None:
    """Log to stderr, unless the module or whoever started us has set up something else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for one in filters:
        handler.addFilter(one)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
