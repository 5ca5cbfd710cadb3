"""Run machine: the histories of `machine.py` with workers, free seats and runs beside the acquires.

After every call the server and the model agree on who holds, who waits where and which runs are at what, and `doctor`
finds nothing.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from semaphores.scripts.commands import Cancel
from semaphores.scripts.run_commands import CancelRun, Enroll, Finish, SetPriority, Submit, Take
from tests.model.admission import Needs, numbers, words
from tests.model.invariants import Stored, capacity_of, read
from tests.model.machine import Histories, needs_of
from tests.model.runs import RUN, AdmissionOfRuns
from tests.promises.reading import Reading

QUEUES = ("q", "r", "dead")  # nobody works on the last
JOBS = ("j", "k", "foreign")  # nobody has the last
working = st.lists(st.sampled_from(QUEUES[:2]), min_size=1, max_size=2, unique=True).map(tuple)
known = st.frozensets(st.sampled_from(JOBS[:2]), min_size=1)
of_runs = needs_of.map(lambda needs: (*((limit, 1) for limit, _ in needs if limit.startswith("pool")), ("runs", 1)))
priorities = st.sampled_from([0, 0, 0, 1, -3])


class RunHistories(Histories):
    """Sessions that also enroll, take, submit, finish, cancel and re-prioritise."""

    def __init__(self) -> None:
        super().__init__()
        self.model: AdmissionOfRuns = AdmissionOfRuns(self.MOVES)
        self.submitted = 0

    def _done(self, name: str, commands: int, granted: object) -> None:
        self._finish(name, commands, granted)  # type: ignore[arg-type]

    @precondition(lambda self: self._idlers())
    @rule(who=st.integers(0, 2), queues=working, jobs=known, seats=st.integers(0, 2))
    def worker_comes(self, who: int, queues: tuple[str, ...], jobs: frozenset[str], seats: int) -> None:
        """A session that is no worker becomes one, and takes in a call of its own."""
        names = self._idlers()
        session = self.sessions[names[who % len(names)]]
        told = [{"name": job} for job in sorted(jobs)]
        reply = session.send(Enroll(",".join(queues), "".join(sorted(jobs)), "x=1", told))
        assert reply.answer["answer"] == "enrolled"
        self.model.start(session.name)
        self._bury()
        self.model.enroll(queues, jobs)
        self._done(session.name, 1, reply.granted)
        if seats:
            self._take(session.name, seats)

    def _idlers(self) -> list[str]:
        return sorted(self.sessions.keys() - self.model.workers.keys())

    @precondition(lambda self: self.model.workers.keys() & self.sessions.keys())
    @rule(who=st.integers(0, 2), seats=st.integers(1, 2))
    def worker_takes(self, who: int, seats: int) -> None:
        names = sorted(self.model.workers.keys() & self.sessions.keys())
        self._take(names[who % len(names)], seats)

    def _take(self, name: str, seats: int) -> None:
        session = self.sessions[name]
        queues, jobs = self.model.workers[session.name]
        take = Take(",".join(queues), "".join(sorted(jobs)), "h:1:seat")
        first = session.n + 1
        reply = session.send(*[take] * seats)
        assert [answer["answer"] for answer in reply.answers] == ["waits"] * seats
        self.model.start(session.name)
        self._bury()
        for n in range(first, first + seats):
            self.model.take(n, queues)
        self._done(session.name, seats, reply.granted)

    @rule(
        who=st.integers(0, 2),
        needs=of_runs,
        queue=st.sampled_from(("q", "q", *QUEUES)),
        job=st.sampled_from(("j", "j", *JOBS)),
        priority=priorities,
        count=st.integers(1, 2),
    )
    def runs_are_submitted(self, who: int, needs: Needs, queue: str, job: str, priority: int, count: int) -> None:
        for _ in range(count):
            self._submit(who, needs, queue, job, priority)

    def _submit(self, who: int, needs: Needs, queue: str, job: str, priority: int) -> None:
        session = self._pick(who)
        self.submitted += 1
        number, all_needs = self.submitted, (*needs, (f"tag:job={job}", 1))
        command = Submit(f"r{number}", job, queue, "here", words(all_needs), 1000, "me", priority=priority)
        reply = session.send(command)
        assert reply.answer["answer"] == "queued"
        self.model.start(session.name)
        self.model.submit(number, all_needs, queue, job, priority)
        self._bury()
        self._done(session.name, 1, reply.granted)

    def _in(self, *statuses: str) -> list[int]:
        return [number for number, run in self.model.runs.items() if run.status in statuses]

    @precondition(lambda self: self._in("STARTING", "CANCELING"))
    @rule(which=st.integers(0, 9), again=st.booleans())
    def run_finishes(self, which: int, again: bool) -> None:
        """Its worker asks for the next in the same call, or not."""
        found = self._in("STARTING", "CANCELING")
        number = found[which % len(found)]
        lease = self.model.runs[number].lease
        assert lease is not None
        name = lease[0]
        if name not in self.sessions:
            return  # it is dead, and nobody noticed
        session = self.sessions[name]
        queues, jobs = self.model.workers[name]
        more = [Take(",".join(queues), "".join(sorted(jobs)), "h:1:seat")] if again else []
        n = session.n + 2
        reply = session.send(Finish(f"r{number}", self.tokens[lease], "SUCCESS"), *more)
        assert reply.answers[0]["answer"] == "finished"
        self.model.start(name)
        self.model.finish(number)
        self._bury()
        if again:
            self.model.take(n, queues)
        self._done(name, 1 + again, reply.granted)

    @precondition(lambda self: self._in("QUEUED", "STARTING"))
    @rule(who=st.integers(0, 2), which=st.integers(0, 9))
    def run_is_canceled(self, who: int, which: int) -> None:
        found = self._in("QUEUED", "STARTING")
        number, session = found[which % len(found)], self._pick(who)
        reply = session.send(CancelRun(f"r{number}", "me"))
        self.model.start(session.name)
        self.model.cancel_run(number)
        self._bury()
        self.canceled(number)
        self._done(session.name, 1, reply.granted)

    def canceled(self, number: int) -> None:
        """Hear the message to its worker, where somebody listens."""
        run = self.model.runs[number]
        if run.status == "CANCELING" and run.lease is not None and run.lease[0] in self.model.listening:
            message = self.listener.get_message(timeout=2)
            assert message is not None
            assert b"canceling" in message["data"]

    @precondition(lambda self: self._in("QUEUED"))
    @rule(who=st.integers(0, 2), which=st.integers(0, 9), priority=priorities)
    def priority_changes(self, who: int, which: int, priority: int) -> None:
        found = self._in("QUEUED")
        number, session = found[which % len(found)], self._pick(who)
        reply = session.send(SetPriority(f"r{number}", priority))
        assert reply.answer["answer"] == "changed"
        self.model.start(session.name)
        self.model.set_priority(number, priority)
        self._bury()
        self._done(session.name, 1, reply.granted)

    @precondition(lambda self: any(name in self.sessions for name, _ in self.model.takes))
    @rule(which=st.integers(0, 9))
    def take_is_given_up(self, which: int) -> None:
        found = sorted(member for member in self.model.takes if member[0] in self.sessions)
        name, n = found[which % len(found)]
        reply = self.sessions[name].send(Cancel(n))
        self.model.start(name)
        self.model.takes.pop((name, n))
        self._bury()
        self._done(name, 1, reply.granted)

    @rule(who=st.integers(0, 2), limit=st.sampled_from(["runs", "tag:job=j"]), capacity=st.sampled_from([0, 1, 2, -1]))
    def limit_of_runs_changes(self, who: int, limit: str, capacity: int) -> None:
        self.limit_changes(self._pick(who).name, limit, "set", capacity)

    # comparing
    def _check(self) -> Stored:
        found = Reading(self.calls).examine()
        assert found == (), [str(finding) for finding in found]
        return read(self.calls)

    def _compare(self, stored: Stored, granted: set[tuple[str, int]]) -> None:
        model = self.model
        waits = {name: set(found) for name, found in numbers(model.requests).items() if name != RUN}
        for name, n in model.takes:
            waits.setdefault(name, set()).add(n)
        aside = numbers(model.aside)
        for name, had in model.takes_aside.items():
            aside.setdefault(name, set()).update(had)
        assert stored.leases() == numbers(model.leases), f"hold: {stored.leases()}, model {model.leases}"
        assert stored.requests() == waits, f"wait: {stored.requests()}, model {waits}"
        assert stored.aside() == aside, f"aside: {stored.aside()}, model {aside}"
        statuses = {key[4:]: value["status"] for key, value in stored.hashes.items() if key.startswith("run:")}
        assert statuses == {f"r{number}": run.status for number, run in model.runs.items()}
        groups = {key[6:]: value for key, value in stored.hashes.items() if key.startswith("group:")}
        assert {name_of(group): group["place"] for group in groups.values()} == {
            " ".join(f"{limit}={slots}" for limit, slots in key): group.place for key, group in model.groups.items()
        }
        reserving = stored.hashes["meta"]["reserving"]
        type(self).RESERVATIONS += bool(reserving)
        assert (name_of(groups[reserving]) if reserving else None) == (
            words(model.reserving) if model.reserving is not None else None
        )
        assert not stored.sorted_sets.get("undrained", {})
        for session, n in granted:
            for limit, _ in model.leases.get(session, {}).get(n, ()):
                used = len(stored.sorted_sets[f"slots:{limit}"])
                assert used <= capacity_of(stored, limit), f"{session}/{n} was granted above {limit}: {used}"


def name_of(group: dict[str, str]) -> str:
    """A group's needs, and the line of its runs behind them, as the model calls it."""
    if "queue" not in group:
        return group["needs"]
    return f"{group['needs']} line:{group['queue']}:{group['job']}=0".strip()
