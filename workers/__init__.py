"""Workers: processes that take runs from queues and execute them within the limits of `semaphores`."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from workers.adapt import limit_by_load
from workers.context import context
from workers.definitions import Definitions
from workers.job import Job, job, validate_run_config
from workers.limits import in_process, multiprocess
from workers.op import Op, op

if TYPE_CHECKING:
    from workers.submit import run_spec, submit, submit_async
    from workers.worker import Worker, WorkerSettings

__all__ = [
    "Definitions",
    "Job",
    "Op",
    "Worker",
    "WorkerSettings",
    "context",
    "in_process",
    "job",
    "limit_by_load",
    "multiprocess",
    "op",
    "run_spec",
    "submit",
    "submit_async",
    "validate_run_config",
]

_FROM = {
    **dict.fromkeys(("run_spec", "submit", "submit_async"), "submit"),
    **dict.fromkeys(("Worker", "WorkerSettings"), "worker"),
}


class _Package(ModuleType):
    """This package: what needs a server is imported when it is first asked for, which a child process never does."""

    def __getattr__(self, name: str) -> object:
        if name not in _FROM:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
        setattr(self, name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        # `workers.submit` is the function: importing the module of that name must not put itself in its place
        if name != "submit" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
