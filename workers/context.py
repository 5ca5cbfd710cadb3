"""Context: what an op can ask about the run that it is part of, and the way of its lines into the run's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from semaphores.errors import UsageError

__all__ = ["Context", "context", "current"]


@dataclass(frozen=True, slots=True)
class Context:
    """The op that is running, and its run."""

    run: str  # its id
    job: str
    op: str
    attempt: int  # of the op in this run, from 1
    run_attempt: int  # of the run, from 1
    tags: Mapping[str, str]  # of the run
    token: int  # fencing token of the run's lease: higher than that of every earlier attempt
    tell: Callable[[str, str], None] = field(repr=False)  # kind, line

    def log(self, text: str) -> None:
        """Write to the run's log. From any thread; a text of several lines becomes as many."""
        for line in str(text).splitlines() or [""]:
            self.tell("INFO", line)


current: ContextVar[Context | None] = ContextVar("context of an op", default=None)


def context() -> Context:
    """Return the context of the op that this is called in. Raises UsageError outside of one."""
    found = current.get()
    if found is None:
        raise UsageError("context() is known inside an op that a worker runs, and nowhere else")
    return found
