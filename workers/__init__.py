"""Workers: processes that take runs from queues and execute them within the limits of `semaphores`."""

from workers.adapt import limit_by_load
from workers.context import context
from workers.definitions import Definitions
from workers.job import Job, job, validate_run_config
from workers.limits import in_process, multiprocess
from workers.op import Op, op

__all__ = [
    "Definitions",
    "Job",
    "Op",
    "context",
    "in_process",
    "job",
    "limit_by_load",
    "multiprocess",
    "op",
    "validate_run_config",
]
