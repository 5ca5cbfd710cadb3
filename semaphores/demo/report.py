"""Report: what the demo found out, as facts, as text and as JSON. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from semaphores.demo.library import module_path
from semaphores.demo.measure import Spread
from semaphores.wording import seconds

__all__ = ["KillReport", "PoolReport", "Report", "UnlimitedReport", "render"]


@dataclass(frozen=True, slots=True)
class UnlimitedReport:
    """The moment without limits."""

    seconds: float
    tried: int  # files
    locked: int  # of them lost to 'database is locked'
    highest: Mapping[str, int]  # how many at once, by pool


@dataclass(frozen=True, slots=True)
class PoolReport:
    """One pool, as the workers' own clocks saw it."""

    name: str
    capacity: int
    highest: int  # how many at once
    at_once: Spread | None  # from call to grant: those for whom there was room
    waited: Spread | None  # and those who stood in line


@dataclass(frozen=True, slots=True)
class KillReport:
    """The holder that was killed."""

    pid: int
    lease: str
    file: str
    waiting: int  # in line for its slot when it was killed
    granted_after: float | None  # seconds from SIGKILL to the next grant of its slot; None: it was never granted again
    redone_by: int | None  # pid of who did its file


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told at the end."""

    server: str
    namespace: str
    library: str
    workers: int
    cores: int
    found: int  # files in the library
    files: int  # indexed
    symbols: int
    seconds: float  # that indexing took
    total_seconds: float
    stopped_early: bool  # the machine is slow: fewer files than wanted
    locked: int  # 'database is locked' with limits
    lost: int  # leases
    unlimited: UnlimitedReport
    pools: Sequence[PoolReport]
    kill: KillReport | None
    problems: Sequence[str]  # what must not be
    commands: Sequence[str]  # to look at the keys
    seen: Sequence[tuple[str, str]] = ()  # command lines and what they showed while the killed holder held
    kept: str | None = None  # folder, when keys and files were kept
    ok: bool = field(default=True)


def render(report: Report) -> str:
    """Return the report as text."""
    parts = [_unlimited(report), _limited(report), _pools(report), _kill(report), _keys(report), _verdict(report)]
    return "\n\n".join(part for part in parts if part)


def _unlimited(report: Report) -> str:
    free = report.unlimited
    share = f"{100 * free.locked / free.tried:.0f} %" if free.tried else "none"
    together = ", ".join(f"{count} in {name!r}" for name, count in free.highest.items())
    broke = (
        f"{free.locked} of {free.tried} files ({share}) were lost to 'database is locked'"
        if free.locked
        else f"no writer met another this time ({free.tried} files): run it again"
    )
    return f"Without limits, {seconds(free.seconds)}: {broke}; at once at most: {together}"


def _limited(report: Report) -> str:
    early = f" (of {report.found}: this machine is slow, so the others were left out)" if report.stopped_early else ""
    return (
        f"With limits, {seconds(report.seconds)}: {report.files} files{early} and {report.symbols} symbols of"
        f" {report.library} indexed by {report.workers} processes on {report.cores} cores;"
        f" 'database is locked': {report.locked}"
    )


def _pools(report: Report) -> str:
    rows = [("pool", "slots", "highest seen", "granted with room: p50 / p99", "after a wait: p50 / p99")]
    rows += [
        (pool.name, str(pool.capacity), str(pool.highest), _spread(pool.at_once), _spread(pool.waited))
        for pool in report.pools
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    note = "(from the call to the grant, by the workers' own clocks; waiting for a core included)"
    return "\n".join([*lines, note])


def _spread(spread: Spread | None) -> str:
    return f"{_ms(spread.p50)} / {_ms(spread.p99)} ({spread.count})" if spread else "-"


def _ms(span: float) -> str:
    return f"{span * 1000:.1f} ms" if span < 1 else f"{span:.2f} s"


def _kill(report: Report) -> str:
    kill = report.kill
    if kill is None:
        return ""
    granted = f"{kill.granted_after:.2f} s after the SIGKILL" if kill.granted_after is not None else "never"
    redone = f"done again by pid {kill.redone_by}" if kill.redone_by else "never done"
    return (
        f"Killed: pid {kill.pid}, with the only slot of 'sqlite' (lease {kill.lease}), {kill.waiting} waiting for it;"
        f" granted to the next {granted}; its file {module_path(kill.file)} was {redone}"
    )


def _keys(report: Report) -> str:
    seen = [line for command, reply in report.seen for line in (f"$ {command}", reply)]
    again = (
        [f"kept in {report.kept} and in these keys:", *(f"  {command}" for command in report.commands)]
        if report.kept
        else ["keys and files are removed again; 'semaphores demo --keep' keeps them to be looked at:"]
        + [f"  {command}" for command in report.commands]
    )
    head = ["What redis-cli showed while the killed process held the slot:", *seen, ""] if seen else []
    return "\n".join([*head, *again])


def _verdict(report: Report) -> str:
    if report.problems:
        return "\n".join(f"PROBLEM: {problem}" for problem in report.problems)
    return (
        "The database holds exactly what one process finds alone, file by file, and no limit was exceeded"
        f" ({seconds(report.total_seconds)} in all)"
    )
