"""Families: a snapshot and counts as families of samples. Pure; the catalog says what each is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from semaphores.metrics.catalog import CATALOG, NAMESPACE
from semaphores.metrics.counters import Counts, Spread
from semaphores.metrics.reading import Snapshot
from semaphores.status import LimitStatus

__all__ = ["health", "of_namespace", "of_process"]

Rows = Iterable[tuple[Sequence[str], float]]  # labels of a sample, and its value


class _Families:
    """Makes families of one namespace, with what the catalog says of each."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def _told(self, name: str) -> tuple[str, str, list[str]]:
        metric = CATALOG[f"semaphores_{name}"]
        return metric.name, metric.help, [NAMESPACE, *metric.labels]

    def gauge(self, name: str, rows: Rows) -> Family:
        family = GaugeMetricFamily(*self._told(name)[:2], labels=self._told(name)[2])
        for labels, value in rows:
            family.add_metric([self._namespace, *labels], value)
        return family

    def counter(self, name: str, rows: Rows) -> Family:
        family = CounterMetricFamily(*self._told(name)[:2], labels=self._told(name)[2])
        for labels, value in rows:
            family.add_metric([self._namespace, *labels], value)
        return family

    def histogram(self, name: str, rows: Mapping[tuple[str, ...], Spread]) -> Family:
        family = HistogramMetricFamily(*self._told(name)[:2], labels=self._told(name)[2])
        for labels, spread in rows.items():
            family.add_metric([self._namespace, *labels], spread.buckets(), spread.total)
        return family


def health(namespace: str, up: bool, seconds: float) -> Iterator[Family]:
    """Return whether the server answered, and how long it took."""
    make = _Families(namespace)
    yield make.gauge("up", [((), float(up))])
    yield make.gauge("scrape_duration_seconds", [((), seconds)])


def of_namespace(namespace: str, snapshot: Snapshot) -> Iterator[Family]:
    """Return what the whole namespace is at."""
    make, view = _Families(namespace), snapshot.namespace
    yield from _limits(make, snapshot.limits)
    queues = snapshot.queues
    yield make.gauge("runs", [((status,), count) for status, count in snapshot.runs.items()])
    yield make.gauge("queue_waiting_runs", [((name,), queue.waiting) for name, queue in queues.items()])
    yield make.gauge("queue_unserved_runs", [((name,), queue.unserved) for name, queue in queues.items()])
    yield make.gauge("queue_oldest_wait_seconds", [((name,), queue.oldest_wait) for name, queue in queues.items()])
    yield make.gauge("queue_workers", [((name,), queue.workers) for name, queue in queues.items()])
    yield make.gauge("queue_seats", [((name,), queue.seats) for name, queue in queues.items()])
    alive = [session for session in snapshot.sessions if session.alive]
    ages = [session.heartbeat_age for session in alive if session.heartbeat_age is not None]
    for name, value in (
        ("limits_left_out", snapshot.left_out),
        ("workers", len(snapshot.workers)),
        ("worker_seats", sum(worker.concurrency for worker in snapshot.workers)),
        ("worker_seats_busy", sum(len(worker.runs) for worker in snapshot.workers)),
        ("sessions_alive", len(alive)),
        ("sessions_dead", len(snapshot.sessions) - len(alive)),
        ("heartbeat_oldest_age_seconds", max(ages, default=0.0)),
        ("leases", sum(session.leases for session in snapshot.sessions)),
        ("ttl_seconds", view.ttl),
        ("epoch", view.epoch),
        ("grace_seconds", view.grace or 0.0),
        ("config_version", view.config),
        ("broken_entries", view.broken),
    ):
        yield make.gauge(name, [((), value)])


def _limits(make: _Families, limits: Sequence[LimitStatus]) -> Iterator[Family]:
    capacities = [(one.limit, one.capacity) for one in limits if one.capacity is not None]
    yield make.gauge("limit_capacity_slots", [((limit,), capacity) for limit, capacity in capacities])
    yield make.gauge("limit_used_slots", [((one.limit,), one.used) for one in limits])
    yield make.gauge("limit_waiting", [((one.limit,), one.waiting) for one in limits])
    yield make.gauge("limit_oldest_wait_seconds", [((one.limit,), one.oldest_wait or 0.0) for one in limits])


def of_process(namespace: str, counts: Counts) -> Iterator[Family]:
    """Return what happened in this process."""
    make = _Families(namespace)
    yield make.counter("grants", [((of,), count) for of, count in counts.grants.items()])
    yield make.counter("hand_offs", [((of,), count) for of, count in counts.hand_offs.items()])
    yield make.histogram("wait_seconds", {(): counts.waits})
    yield make.counter("leases_lost", [((), counts.lost)])
    yield make.counter("epochs_seen", [((), counts.epochs)])
    yield make.counter("sessions_begun", [((), counts.sessions)])
    yield make.counter("runs_finished", counts.finished.items())
    yield make.histogram("run_duration_seconds", {(job,): spread for job, spread in counts.durations.items()})
