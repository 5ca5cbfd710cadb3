"""Logs: what is logged inside an op goes to the log of its run, besides to where it goes anyway."""

from __future__ import annotations

import logging

from workers.context import current

__all__ = ["OpFields", "RunLog"]


class RunLog(logging.Handler):
    """A handler for the root logger. A record belongs to the op in whose context it was made."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the run's log."""
        context = current.get()
        if context is None:
            return
        try:
            for line in self.format(record).splitlines():
                context.tell(record.levelname, line)
        except Exception:  # noqa: BLE001 - logging's own rule: what is wrong with a record is not the logger's trouble
            self.handleError(record)


class OpFields(logging.Filter):
    """Notes in each record that was made inside an op which run, job and op that is, for formatters that show it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        context = current.get()
        if context is not None:
            for field, value in (("run", context.run), ("job", context.job), ("op", context.op)):
                if not hasattr(record, field):
                    setattr(record, field, value)
        return True
