"""Runs: submitting runs of jobs, listing, explaining, canceling, retrying and re-prioritising them.

What a job does is the business of `workers`; here it is a name with tags, pools and a queue.
"""

from semaphores.runs.client import AsyncRuns, Runs
from semaphores.runs.lines import LineView
from semaphores.runs.pages import RunPage
from semaphores.runs.spec import RunSpec
from semaphores.runs.verbs import Submitted
from semaphores.runs.views import JobView, LogEntry, OpView, RunDetails, RunView, WorkerView
from semaphores.runs.why import RunWhy

__all__ = [
    "AsyncRuns",
    "JobView",
    "LineView",
    "LogEntry",
    "OpView",
    "RunDetails",
    "RunPage",
    "RunSpec",
    "RunView",
    "RunWhy",
    "Runs",
    "Submitted",
    "WorkerView",
]
