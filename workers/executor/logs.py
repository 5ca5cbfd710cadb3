"""Logs: what is logged inside an op goes to the log of its run, besides to where it goes anyway."""

from __future__ import annotations

import logging

from workers.context import current

__all__ = ["RunLog"]


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
