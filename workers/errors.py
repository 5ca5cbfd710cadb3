"""Errors of defining and executing work. Each reads as one line and carries its facts; the root is SemaphoresError."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.errors import SemaphoresError, UsageError

__all__ = ["ArgumentError", "DefinitionError", "NotFoundInModule", "NotPackable", "RunFailed"]


class DefinitionError(UsageError):
    """Report an op, a job, an executor or a code location that cannot be what it says."""


class NotFoundInModule(DefinitionError):
    """Report that a module, a file or a name in it is not there."""


class ArgumentError(UsageError):
    """Report arguments that a job cannot be run with. `job`, and `op` and `parameter` where one is missing."""

    def __init__(self, problem: str, *, job: str, op: str = "", parameter: str = "") -> None:
        self.job, self.op, self.parameter = job, op, parameter
        super().__init__(problem)


class NotPackable(SemaphoresError):
    """Report a result or an argument that cannot travel between processes. `what` it is, `why` it cannot."""

    def __init__(self, what: str, why: str) -> None:
        self.what, self.why = what, why
        super().__init__(f"{what} {why}; pass a path or key instead")


class RunFailed(SemaphoresError):
    """Report that a run did not succeed.

    `failures` has the error line of each op that failed; it is empty when nothing was started, as for a wrong argument.
    `skipped` are the ops that could not run as one before them failed.
    """

    def __init__(
        self, problem: str, *, failures: Mapping[str, str] | None = None, skipped: tuple[str, ...] = ()
    ) -> None:
        self.failures, self.skipped = dict(failures or {}), skipped
        super().__init__(problem)
