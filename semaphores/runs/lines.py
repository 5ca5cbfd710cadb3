"""Lines: the queued runs whose limits had room and that wait for a free seat, by queue and job.

A run whose limit was filled meanwhile by others of its line stays in it until a seat comes to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from semaphores.scripts.asking import Asking, number, rows, text

__all__ = ["LineView", "lines"]


@dataclass(frozen=True, slots=True)
class LineView:
    """The runs of one job in one queue that only miss a free seat."""

    queue: str
    job: str
    runs: int
    oldest_wait: float | None  # seconds since the oldest was submitted
    workers: int  # living ones of the queue that have the job; with none, nobody will ever take these
    more: bool = False  # so many different groups wait that `runs` is a lower bound


def lines() -> Asking[tuple[LineView, ...]]:
    """List all lines, by queue and job."""
    found: dict[tuple[str, str], LineView] = {}
    cursor: str | None = "0"
    while cursor is not None:
        reply = yield {"ask": "lines", "cursor": cursor}
        now = number(reply, "now") or 0.0
        for row in rows(reply):
            queue, job, since = text(row, "queue") or "", text(row, "job") or "", number(row, "since")
            found[queue, job] = LineView(
                queue=queue,
                job=job,
                runs=int(number(row, "runs") or 0),
                oldest_wait=None if since is None else max(0.0, now - since / 1000),
                workers=int(number(row, "workers") or 0),
                more=bool(row.get("more")),
            )
        cursor = text(reply, "cursor")
    return tuple(found[name] for name in sorted(found))
