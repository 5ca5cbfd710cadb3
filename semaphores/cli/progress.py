"""Progress: waiting for the end of a run, and what is said of it meanwhile, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from semaphores.cli.columns import age
from semaphores.cli.queued import blocked
from semaphores.cli.words import printable, shown
from semaphores.client import Client
from semaphores.errors import ServerError
from semaphores.runs import RunDetails, RunView

__all__ = ["ASK_EVERY", "Progress", "outcome", "wait_for_end"]

ASK_EVERY = 0.25  # seconds between two questions


def wait_for_end(client: Client, run: str, tell: Callable[[RunDetails], None]) -> RunView:
    """Wait until a run is over; `tell` is given each look at it. A server that is away for a while ends nothing."""
    while True:
        try:
            found = client.runs.get(run)
        except ServerError as error:
            print(f"error: {printable(str(error))}", file=sys.stderr, flush=True)
        else:
            tell(found)
            if found.run.finished:
                return found.run
        time.sleep(ASK_EVERY)


def outcome(run: RunView) -> str:
    """Return how a run ended, in one line."""
    took = ""
    if run.started is not None and run.ended is not None:
        took = f" after {age(max(0.0, (run.ended - run.started).total_seconds()))}"
    reason = f": {run.reason}" if run.reason else ""
    return f"run {run.id} of {run.job}: {run.status}{took}{reason}"


class Progress:
    """Says a line on stderr whenever a run, or one of its ops, is at something else."""

    def __init__(self) -> None:
        self._run = ""
        self._ops: dict[str, tuple[str, int, str | None]] = {}

    def tell(self, found: RunDetails) -> None:
        """Say what is new since the last look."""
        run = found.run
        at = f"{run.status} {run.attempt} {found.place} {found.workers > 0} {found.served}"
        if at != self._run and not run.finished:  # how it ended is for its caller to say
            self._run = at
            self._say(self._run_line(found))
        for op in found.ops:
            state = (op.status, op.attempt, op.limit)
            if self._ops.get(op.op) != state:
                self._ops[op.op] = state
                waits = f" for {shown(op.limit)}" if op.limit else ""
                text = f": {op.text}" if op.text else ""
                self._say(f"{op.op} {op.status}{waits}{text}")

    def _run_line(self, found: RunDetails) -> str:
        run = found.run
        if run.status == "QUEUED":
            again = f" again, attempt {run.attempt} was lost" if run.attempt else ""
            return f"{run.status}{again}: {blocked(found)}"
        attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
        return f"{run.status} by {run.worker or 'a worker'}{attempt}"

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {printable(text)}", file=sys.stderr, flush=True)
