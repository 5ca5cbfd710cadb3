"""Observer: reads nothing but the records of runs, and says whether a limit was exceeded or a seat idle in vain.

It knows the limits as the test wrote them down from the configuration file, and matches tags itself: what the server
counts does not count here. Times are the server's, in milliseconds. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from semaphores.runs import RunView

__all__ = ["Rule", "Span", "exceeded", "idle", "spans_of"]


@dataclass(frozen=True)
class Rule:
    """At most `limit` runs in progress that match: all, or those with a tag, or with a value of it."""

    limit: int
    key: str | None = None
    value: str | None = None

    def matches(self, tags: Mapping[str, str]) -> bool:
        return self.key is None or (self.key in tags and self.value in (None, tags[self.key]))

    def __str__(self) -> str:
        return "runs" if self.key is None else f"{self.key}={self.value or '*'}"


@dataclass(frozen=True)
class Span:
    """One run: queued from `submitted`, in progress from `granted` to `ended`, in ms."""

    run: str
    tags: Mapping[str, str]
    submitted: int
    granted: int
    ended: int


def spans_of(runs: Sequence[RunView]) -> list[Span]:
    """What the records say."""
    found = []
    for run in runs:
        moments = (run.submitted, run.granted, run.ended)
        submitted, granted, ended = (round(moment.timestamp() * 1000) if moment else 0 for moment in moments)
        assert submitted <= granted <= ended, run
        found.append(Span(run.id, run.tags, submitted, granted, ended))
    return found


def exceeded(spans: Sequence[Span], rules: Sequence[Rule]) -> list[str]:
    """Each moment from which on more were in progress than a rule allows. In one ms, ends come first."""
    found = []
    for rule in rules:
        events = [
            (span.granted, 1, span.run) for span in spans if rule.matches(span.tags) and span.ended > span.granted
        ]
        events += [
            (span.ended, -1, span.run) for span in spans if rule.matches(span.tags) and span.ended > span.granted
        ]
        used = 0
        for moment, by, run in sorted(events):
            used += by
            if by > 0 and used > rule.limit:
                found.append(f"{rule}: {used} of {rule.limit} at {moment} with {run}")
    return found


def idle(spans: Sequence[Span], rules: Sequence[Rule], seats: int) -> list[tuple[int, int, str]]:
    """Each stretch in which a run waited though every rule and a seat had room: (ms, since, run), longest first."""
    begun: dict[str, int] = {}
    found = []
    for moment, queued, running in _moments(spans):
        free = len(running) < seats
        used = Counter({rule: sum(rule.matches(span.tags) for span in running) for rule in rules})
        for span in queued:
            if free and all(used[rule] < rule.limit for rule in rules if rule.matches(span.tags)):
                begun.setdefault(span.run, moment)
            elif span.run in begun:
                found.append((moment - begun[span.run], begun.pop(span.run), span.run))
        over = set(begun) - {span.run for span in queued}
        found += [(moment - begun[run], begun.pop(run), run) for run in over]
    return sorted(found, reverse=True)


def _moments(spans: Sequence[Span]) -> Iterator[tuple[int, list[Span], list[Span]]]:
    """Who waits and who is in progress, after each moment at which that changed."""
    for moment in sorted({moment for span in spans for moment in (span.submitted, span.granted, span.ended)}):
        yield (
            moment,
            [span for span in spans if span.submitted <= moment < span.granted],
            [span for span in spans if span.granted <= moment < span.ended],
        )
