"""Outcome: what the fleet did, told from the run records and the index alone: nobody's own opinion counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semaphores.client import Client
from semaphores.demo import library, store
from semaphores.runs import RunView

__all__ = ["Outcome", "outcome_of"]

LIMITS = {"runs": 5, "size=large": 2}  # as in the configuration; pools are held by ops, whose times are their own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. Times in seconds."""

    runs: int
    succeeded: int
    seconds: float  # from the first grant to the last end
    files: int
    symbols: int
    highest: dict[str, int]  # runs at once, by limit
    killed: int | None  # pid of the worker
    again: int  # of its runs that went back to the queue and were started by another worker
    again_after: float | None  # seconds from the SIGKILL to the first of those grants
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every limit held and the index is right."""
        return not self.problems

    def lines(self) -> list[str]:
        """Return it for people."""
        at_once = ", ".join(f"{name}: {most} of {LIMITS[name]}" for name, most in self.highest.items())
        after = "" if self.again_after is None else f", the first {self.again_after:.2f} s after the SIGKILL"
        return [
            "",
            f"Runs: {self.succeeded} of {self.runs} succeeded in {self.seconds:.1f} s",
            f"Index: {self.files} files, {self.symbols} symbols",
            f"At once at most: {at_once}",
            f"Killed: worker {self.killed}; {self.again} of its runs were started again by others{after}"
            if self.killed is not None
            else "Killed: nobody",
            *(f"WRONG: {problem}" for problem in self.problems),
        ]


def outcome_of(
    client: Client, database: Path, sources: Sequence[Path], killed: tuple[int, float, tuple[str, ...]] | None
) -> Outcome:
    """Return what happened, and what of it is wrong."""
    runs = client.runs.list(most=10_000)
    highest = {
        "runs": most_at_once(runs),
        "size=large": most_at_once(run for run in runs if run.tags.get("size") == "large"),
    }
    again = [run for run in runs if killed and run.id in killed[2] and run.attempt > 1]
    grants = [run.granted.timestamp() for run in again if run.granted]
    stored = store.symbols_by_file(database)
    wrong = [str(path) for path in sources if stored.get(str(path), (-1, -1)) != (len(library.symbols_of(path)),) * 2]
    failed = [run for run in runs if run.status != "SUCCESS"]
    problems = [
        *(f"run {run.id} is {run.status}: {run.reason}" for run in failed[:5]),
        *(
            f"{most} runs at once of {name}, {LIMITS[name]} allowed"
            for name, most in highest.items()
            if most > LIMITS[name]
        ),
        *(f"{path} is not in the index as it is" for path in wrong[:5]),
    ]
    starts = [run.granted.timestamp() for run in runs if run.granted]
    ends = [run.ended.timestamp() for run in runs if run.ended]
    return Outcome(
        runs=len(runs),
        succeeded=len(runs) - len(failed),
        seconds=max(ends, default=0.0) - min(starts, default=0.0),
        files=len(stored),
        symbols=sum(there for _, there in stored.values()),
        highest=highest,
        killed=killed[0] if killed else None,
        again=len(again),
        again_after=min(grants) - killed[1] if killed and grants else None,
        problems=tuple(problems),
    )


def most_at_once(runs: Iterable[RunView]) -> int:
    """Return how many runs were in progress at once at most: from last grant to end, by the server's clock."""
    steps = sorted(
        step
        for run in runs
        if run.granted and run.ended
        for step in ((run.granted.timestamp(), 1), (run.ended.timestamp(), -1))
    )
    now = most = 0
    for _, change in steps:
        now += change
        most = max(most, now)
    return most
