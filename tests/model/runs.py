"""Runs in the model of admission: queued runs that need a free seat of a worker beside their slots.

A group of runs is called after its needs and its line, `("line:QUEUE:JOB", 0)` behind them. Mirrors rules, not code.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.admission import MOST_TRIES, Admission, Group, Member, Needs, Request, waiters

RUN = "run"  # in place of a session: the member of a run is ("run", its number)


@dataclass
class Run:
    needs: Needs
    queue: str
    job: str
    order: int
    status: str = "QUEUED"
    key: Needs | None = None  # its group, while it waits
    lease: Member | None = None

    @property
    def line(self) -> str:
        return f"line:{self.queue}:{self.job}"


@dataclass
class Take:
    """A free seat. `since`: which call it came with; what comes in a call is served in its order, later by its name."""

    queues: tuple[str, ...]
    since: int
    fresh: bool
    number: int


class AdmissionOfRuns(Admission):
    """Admission with runs, free seats and workers."""

    def __init__(self, most_moves: int = 8) -> None:
        super().__init__(most_moves)
        self.runs: dict[int, Run] = {}
        self.takes: dict[Member, Take] = {}
        self.takes_aside: dict[str, dict[int, Take]] = {}
        self.workers: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}  # session: queues and jobs
        self.alive.add(RUN)
        self.calls = 0

    # facts
    def codes(self, queue: str, job: str) -> set[frozenset[str]]:
        """The lists of jobs that workers of a queue have, and that hold a job."""
        return {jobs for queues, jobs in self.workers.values() if queue in queues and job in jobs}

    def take_for(self, queue: str, job: str) -> Member | None:
        def age(member: Member) -> tuple[int, bool, str | int]:
            take = self.takes[member]
            return take.since, take.fresh, take.number if take.fresh else f"{member[0]}/{member[1]}"

        fitting = [
            member
            for member, take in self.takes.items()
            if queue in take.queues and member[0] in self.workers and job in self.workers[member[0]][1]
        ]
        return min(fitting, key=age, default=None)

    def may_reserve(self, key: Needs) -> bool:
        line = key[-1][0] if key else ""
        if line.startswith("line:") and not self.codes(*line.split(":")[1:]):
            return False
        return super().may_reserve(key)

    # places and groups
    def mark(self, place: str) -> None:
        if place.startswith("line:"):
            if self.places.get(place):
                self.mark_queue(place.split(":")[1])
        else:
            super().mark(place)

    def mark_queue(self, queue: str) -> None:
        if self.places and f"queue {queue}" not in self.undrained:
            self.undrained.append(f"queue {queue}")

    def park(self, key: Needs, place: str) -> bool:
        before = self.groups[key].place or ""
        if not place.startswith("line:") and not before.startswith("line:"):
            return super().park(key, place)
        if before in ("", place):
            return False
        self.put(key, place)
        self.mark(before)
        if place.startswith("line:") and self.reserving == key:
            self.end_reservation()
        return True

    def file_run(self, number: int) -> None:
        run = self.runs[number]
        blocked = self.blocker(None, run.needs, run.order)
        place = run.line if blocked is None else waiters(blocked)
        key = (*self.limited(run.needs), (run.line, 0))
        known = key in self.groups
        group = self.groups.setdefault(key, Group())
        first = self.first(key) if known else None
        group.line[RUN, number] = run.order
        self.requests.setdefault(RUN, {})[number] = Request(run.needs, run.order, key)
        run.key = key
        if not known:
            self.put(key, place)
        elif first != self.first(key) and group.place is not None:
            self.mark(group.place)
        self.mark(place)

    # working off
    def attempt(self, key: Needs) -> bool:
        session, number = self.first(key)
        if session != RUN:
            return super().attempt(key)
        run = self.runs[number]
        if any(need not in key for need in self.limited(run.needs)):
            self.take_out((RUN, number))
            self.file_run(number)
            return True
        blocked = self.blocker(key, run.needs, run.order)
        if blocked is not None:
            return self.park(key, waiters(blocked))
        if not self._grant(run):
            return self.park(key, run.line)
        self.take_out((RUN, number))
        if key in self.groups:
            self.groups[key].moves = 0
        if self.reserving == key:
            self.end_reservation()
        return True

    def _grant(self, run: Run) -> bool:
        while (member := self.take_for(run.queue, run.job)) is not None:
            session, n = member
            take = self.takes.pop(member)
            if session not in self.alive:
                continue
            if session == self.caller or session in self.listening:
                self.leases.setdefault(session, {})[n] = run.needs
                self.granted.add(member)
                run.status, run.lease, run.key = "STARTING", member, None
                return True
            self.takes_aside.setdefault(session, {})[n] = take
        return False

    def _best_line(self, queue: str) -> str | None:
        lines = [
            place
            for place in self.places
            if place.startswith(f"line:{queue}:") and self.take_for(queue, place.split(":")[2]) is not None
        ]
        return min(
            lines, key=lambda place: min(min(self.groups[k].line.values()) for k in self.places[place]), default=None
        )

    def drain(self, commands: int) -> None:
        tries = MOST_TRIES + commands
        while self.undrained and tries:
            tries -= 1
            entry = self.undrained[0]
            kind, _, rest = entry.partition(" ")
            if kind == "walk":
                self.undrained.pop(0)
                for found in sorted(name for name in self.places if name.startswith(rest)):
                    self.mark(found)
                continue
            place = self._best_line(rest) if kind == "queue" else entry
            limit = entry.partition(":")[2]
            full = kind != "queue" and self.of(limit) <= self.used(limit)
            key = None if full or place is None else self.head(place)
            if key is None or not self.attempt(key):
                self.undrained.pop(0)
        for take in self.takes.values():
            take.fresh = False

    # commands
    def start(self, session: str) -> None:
        self.calls += 1
        super().start(session)
        for n, take in self.takes_aside.pop(session, {}).items():
            self.takes[session, n] = Take(take.queues, self.calls, False, n)
            for queue in take.queues:
                self.mark_queue(queue)

    def submit(self, number: int, needs: Needs, queue: str, job: str, priority: int) -> None:
        self.sequence += 1
        self.runs[number] = Run(needs, queue, job, (4095 - priority) * 2**40 + self.sequence)
        self.file_run(number)

    def set_priority(self, number: int, priority: int) -> None:
        run = self.runs[number]
        run.order = (4095 - priority) * 2**40 + run.order % 2**40
        self.take_out((RUN, number))
        self.file_run(number)

    def cancel_run(self, number: int) -> None:
        run = self.runs[number]
        if run.status == "QUEUED":
            self.take_out((RUN, number))
            run.status, run.key = "CANCELED", None
        else:
            run.status = "CANCELING"

    def finish(self, number: int) -> None:
        run = self.runs[number]
        assert run.lease is not None
        run.status = "SUCCESS"
        self.release(*run.lease)

    def release(self, session: str, n: int) -> str:
        """End a lease; a run that it was for, and that is not over, goes back to its line."""
        found = super().release(session, n)
        for number, run in self.runs.items():
            if run.lease == (session, n):
                run.lease = None
                if run.status == "CANCELING":
                    run.status = "CANCELED"
                elif run.status in ("STARTING", "STARTED"):
                    run.status = "QUEUED"
                    self.file_run(number)
        return found

    def enroll(self, queues: tuple[str, ...], jobs: frozenset[str]) -> None:
        self.workers[self.caller] = queues, jobs
        for queue in queues:
            self.mark_queue(queue)

    def take(self, n: int, queues: tuple[str, ...]) -> None:
        self.takes[self.caller, n] = Take(queues, self.calls, True, n)
        for queue in queues:
            self.mark_queue(queue)

    def bury(self, session: str) -> None:
        super().bury(session)
        self.workers.pop(session, None)
        self.takes_aside.pop(session, None)
        for member in [member for member in self.takes if member[0] == session]:
            del self.takes[member]
