"""Status: what a namespace looks like now. Each read is a generator of questions that returns frozen dataclasses.

The command line, pages and Python call the same functions. A read of several pages is no snapshot: things may move
between two of them. Nothing here writes, and nothing talks to a server.
"""

from semaphores.status.lists import leases, requests, sessions
from semaphores.status.namespace import audit, limits_named, status, summary
from semaphores.status.places import HoldersPage, WaitersView, WaiterView, holders_page, waiters
from semaphores.status.views import AuditEntry, LeaseView, LimitStatus, NamespaceView, RequestView, SessionView

__all__ = [
    "AuditEntry",
    "HoldersPage",
    "LeaseView",
    "LimitStatus",
    "NamespaceView",
    "RequestView",
    "SessionView",
    "WaiterView",
    "WaitersView",
    "audit",
    "holders_page",
    "leases",
    "limits_named",
    "requests",
    "sessions",
    "status",
    "summary",
    "waiters",
]
