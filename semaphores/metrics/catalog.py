"""Catalog: every metric by name: what it is, and which labels it has beside `semaphores_namespace`.

docs/metrics.md has the same table; a test compares both with what a scrape shows. `namespace` alone is no name for our
label: Kubernetes' service discovery has it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["CATALOG", "NAMESPACE", "Metric"]

NAMESPACE = "semaphores_namespace"  # the label that every series has

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    name: str  # a counter's without `_total`
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    process: bool = (
        False  # counted in this process; else it is of the whole namespace, the same from wherever it is asked
    )


_NAMESPACE = (
    Metric("semaphores_up", "gauge", "Whether the server answered this scrape"),
    Metric("semaphores_scrape_duration_seconds", "gauge", "How long the server was asked for this scrape"),
    Metric("semaphores_limit_capacity_slots", "gauge", "Slots of a limit; absent where it is unlimited", ("limit",)),
    Metric("semaphores_limit_used_slots", "gauge", "Slots that are held", ("limit",)),
    Metric("semaphores_limit_waiting", "gauge", "Acquires and runs that wait because of a limit", ("limit",)),
    Metric("semaphores_limit_oldest_wait_seconds", "gauge", "How long the oldest of them has waited", ("limit",)),
    Metric("semaphores_limits_left_out", "gauge", "Limits that this scrape does not show: unlimited values, too many"),
    Metric("semaphores_runs", "gauge", "Runs by status; of finished ones those that are kept", ("status",)),
    Metric("semaphores_queue_waiting_runs", "gauge", "Queued runs that only miss a free seat", ("queue",)),
    Metric("semaphores_queue_unserved_runs", "gauge", "Those of them whose job no living worker here has", ("queue",)),
    Metric("semaphores_queue_oldest_wait_seconds", "gauge", "How long the oldest of them is queued", ("queue",)),
    Metric("semaphores_queue_workers", "gauge", "Living workers of a queue", ("queue",)),
    Metric("semaphores_queue_seats", "gauge", "Runs that they can work on at once", ("queue",)),
    Metric("semaphores_workers", "gauge", "Living workers"),
    Metric("semaphores_worker_seats", "gauge", "Runs that living workers can work on at once"),
    Metric("semaphores_worker_seats_busy", "gauge", "Runs that living workers work on"),
    Metric("semaphores_sessions_alive", "gauge", "Processes that live in the namespace"),
    Metric("semaphores_sessions_dead", "gauge", "Processes past their ttl whose slots are not all back yet"),
    Metric("semaphores_heartbeat_oldest_age_seconds", "gauge", "Since the living process longest silent was heard of"),
    Metric("semaphores_leases", "gauge", "Leases that are held"),
    Metric("semaphores_ttl_seconds", "gauge", "The life of a process without heartbeat"),
    Metric("semaphores_epoch", "gauge", "Rises when data may have been lost"),
    Metric("semaphores_grace_seconds", "gauge", "Seconds for which nothing is granted yet after such a loss"),
    Metric("semaphores_config_version", "gauge", "Rises with each change of a limit or setting"),
    Metric("semaphores_broken_entries", "gauge", "Entries that `semaphores doctor` should see"),
)
_PROCESS = (
    Metric("semaphores_grants", "counter", "Granted: acquires, and runs to seats", ("of",), True),
    Metric(
        "semaphores_hand_offs",
        "counter",
        "Those that had waited in line (of a seat: for longer than its own call)",
        ("of",),
        True,
    ),
    Metric("semaphores_wait_seconds", "histogram", "From asking for slots to having them", (), True),
    Metric("semaphores_leases_lost", "counter", "Leases that ended before their holder let go", (), True),
    Metric("semaphores_epochs_seen", "counter", "New epochs: data may have been lost", (), True),
    Metric("semaphores_sessions_begun", "counter", "1, and one more each time that a session was lost", (), True),
    Metric("semaphores_runs_finished", "counter", "Runs that ended in this worker", ("job", "status"), True),
    Metric("semaphores_run_duration_seconds", "histogram", "From getting a run to its end", ("job",), True),
)

CATALOG: Mapping[str, Metric] = {metric.name: metric for metric in (*_NAMESPACE, *_PROCESS)}
