"""Metrics: a namespace and a process as Prometheus sees them. Needs the extra `metrics`.

    from prometheus_client import REGISTRY
    from semaphores.metrics import Exporter

    REGISTRY.register(Exporter(client))      # into an application's own registry
    Exporter(client).text()                  # or a page of its own: (body, content type)

What the namespace is at is asked of the server when somebody scrapes; what happened in this process is counted as it
happens. Nothing here changes anything.
"""

from semaphores.metrics.catalog import CATALOG, Metric
from semaphores.metrics.counters import Counters
from semaphores.metrics.exporter import Exporter

__all__ = ["CATALOG", "Counters", "Exporter", "Metric"]
