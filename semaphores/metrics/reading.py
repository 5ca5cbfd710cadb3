"""Reading: what the namespace is at, asked by the functions that the command line and the page use.

Invariant: what is returned is bounded, however many limits and queues there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semaphores import status
from semaphores.client import Client
from semaphores.runs import verbs
from semaphores.runs.lines import LineView, lines
from semaphores.runs.views import WorkerView
from semaphores.scripts.asking import Asking, drive
from semaphores.status import LimitStatus, NamespaceView, SessionView

__all__ = ["MOST", "Queue", "Snapshot", "queues_of", "read", "worth_showing"]

MOST = 200  # limits and queues: 4 series each
PATIENCE = 2.0  # seconds: a scraper waits 10 at most, and wants to hear that the server is away
EXECUTE = "execute-"  # the queue of one `run execute`, which lives as long as that


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue."""

    waiting: int = 0
    unserved: int = 0
    oldest_wait: float = 0.0  # seconds
    workers: int = 0
    seats: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a scrape shows of a namespace."""

    namespace: NamespaceView
    limits: tuple[LimitStatus, ...]
    left_out: int  # limits
    runs: Mapping[str, int]  # by status
    queues: Mapping[str, Queue]
    workers: tuple[WorkerView, ...]  # living ones
    sessions: tuple[SessionView, ...]


def read(client: Client, most: int = MOST) -> Snapshot:
    """Ask the server. Raises ServerUnavailable after two seconds."""
    return drive(_reading(most), lambda question: client.connections.ask(question, patience=PATIENCE))


def _reading(most: int) -> Asking[Snapshot]:
    namespace = yield from status.summary()
    every = yield from status.status()
    runs = yield from verbs.counts()
    workers = yield from verbs.workers()
    waiting = yield from lines()
    sessions = yield from status.sessions()
    shown = worth_showing(every, most)
    living = tuple(worker for worker in workers if worker.session.alive)
    return Snapshot(namespace, shown, len(every) - len(shown), runs, queues_of(waiting, living, most), living, sessions)


def worth_showing(limits: Sequence[LimitStatus], most: int) -> tuple[LimitStatus, ...]:
    """Return the limits that say most, by name: without the values of tags that nothing limits, and without rules."""
    told = [one for one in limits if not one.is_rule and not (one.kind == "tag" and one.capacity is None)]
    told.sort(key=lambda one: (-one.waiting, -one.used, one.limit))
    return tuple(sorted(told[:most], key=lambda one: one.limit))


def queues_of(waiting: Sequence[LineView], workers: Sequence[WorkerView], most: int) -> dict[str, Queue]:
    """Return the queues that have runs or workers; those with most runs where there are too many."""
    found: dict[str, Queue] = {}
    for line in waiting:
        name = _queue(line.queue)
        queue = found.get(name, Queue())
        found[name] = Queue(
            queue.waiting + line.runs,
            queue.unserved + (0 if line.workers else line.runs),
            max(queue.oldest_wait, line.oldest_wait or 0.0),
        )
    for worker in workers:
        for name in {_queue(name) for name in worker.queues if name}:
            queue = found.get(name, Queue())
            found[name] = Queue(
                queue.waiting, queue.unserved, queue.oldest_wait, queue.workers + 1, queue.seats + worker.concurrency
            )
    first = sorted(found, key=lambda name: (-found[name].waiting, name))[:most]
    return {name: found[name] for name in sorted(first)}


def _queue(name: str) -> str:
    return EXECUTE.rstrip("-") if name.startswith(EXECUTE) else name
