"""Machine: the same random history for the model and for the real scripts, compared after every call.

`Histories` is a hypothesis state machine; `PLANT` changes the scripts' text first, to prove that it notices, and MOVES
lets the starvation guard act earlier than after 8 moves, which random histories hardly make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar

import msgpack
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from semaphores.names import wake_channel
from semaphores.scripts.commands import Acquire, Cancel, Command, Release
from tests.lua.harness import Calls, Plant, Session
from tests.model.admission import Admission, Needs, numbers, words
from tests.model.invariants import Stored, capacity_of, check
from tests.servers import Server

LIMITS = ("pool:a", "pool:b", "tag:k=1")  # few, so that most of what a history does meets
RULES = (*LIMITS, "pool:*", "tag:k=*")
NAMES = ("s1", "s2", "s3")
Op = tuple[str, int, Needs, bool]  # kind, index or priority, needs, try

needs_of = st.dictionaries(st.sampled_from(LIMITS), st.sampled_from([1, 1, 1, 1, 2]), min_size=1, max_size=3).map(
    lambda found: tuple(sorted(found.items()))
)
capacities = st.sampled_from([0, 1, 1, 2, 2, -1])
acquires = st.tuples(
    st.just("acquire"), st.sampled_from([0, 0, 0, 1, -3]), needs_of, st.booleans().map(lambda x: not x)
)
lasting = st.tuples(st.just("acquire"), st.sampled_from([0, 0, 0, 1, -3]), needs_of, st.just(False))
givings = st.tuples(st.sampled_from(["release", "release", "cancel"]), st.integers(0, 9), st.just(()), st.just(False))
ops = st.lists(st.one_of(lasting, lasting, lasting, acquires, givings, givings), min_size=1, max_size=4)


@cache
def moves(most: int) -> Plant:
    """After how many moves a group is reserved for."""
    return lambda text: text.replace("MOST_MOVES = 8", f"MOST_MOVES = {most}")


class Histories(RuleBasedStateMachine):
    """Sessions that acquire, release, cancel, change limits, die, do not listen, or send everything twice."""

    SERVER: ClassVar[Server]
    PLANT: ClassVar[Plant | None] = None
    MOVES: ClassVar[int] = 2
    RESERVATIONS: ClassVar[int] = 0  # seen by all histories so far

    def __init__(self) -> None:
        super().__init__()
        self.calls = Calls(self.SERVER, "model", (moves(self.MOVES), *([self.PLANT] if self.PLANT else ())))
        self.calls.connection.flushall()
        self.model = Admission(self.MOVES)
        self.sessions: dict[str, Session] = {}
        self.dead: list[str] = []
        self.born = 0
        self.tokens: dict[tuple[str, int], str] = {}
        self.highest_token = 0
        self.last: tuple[Session, list[tuple[int, Command]], list[str]] | None = None
        self.listener = self.calls.connection.pubsub()

    def teardown(self) -> None:
        self.listener.close()
        self.calls.close()

    @initialize(limits=st.dictionaries(st.sampled_from(RULES), st.sampled_from([1, 1, 2]), min_size=2, max_size=5))
    def made(self, limits: Mapping[str, int]) -> None:
        for _ in NAMES:
            self.session_begins()
        # else a new epoch's T keeps alive whom we call expired
        self.calls.connection.hset(self.calls.key("meta"), "since", -20_000_000)
        for limit, capacity in sorted(limits.items()):
            self.limit_changes("s1", limit, "set", capacity)

    @precondition(lambda self: len(self.sessions) < len(NAMES))
    @rule()
    def session_begins(self) -> None:
        self.born += 1
        name = f"s{self.born}"
        self._subscribed(name, listens=True)
        self.model.start(name)
        self.model.alive.add(name)
        self.sessions[name] = self.calls.session(name)
        self._bury()
        self._finish(name, 1, {})

    def _subscribed(self, name: str, *, listens: bool) -> None:
        channel = wake_channel(self.calls.prefix, name)
        (self.listener.ssubscribe if listens else self.listener.sunsubscribe)(channel)
        assert self.listener.get_message(timeout=5) is not None
        (self.model.listening.add if listens else self.model.listening.discard)(name)

    def _pick(self, index: int) -> Session:
        return sorted(self.sessions.items())[index % len(self.sessions)][1]

    @rule(who=st.integers(0, 2), batch=ops)
    def session_calls(self, who: int, batch: Sequence[Op]) -> None:
        session = self._pick(who)
        commands = [command for op in batch if (command := self._command(session, op))]
        self._send(session, [(session.n + 1 + i, command) for i, command in enumerate(commands)])

    def _command(self, session: Session, op: Op) -> Command | None:
        kind, index, needs, once = op
        held, waits = (sorted(had.get(session.name, ())) for had in (self.model.leases, self.model.requests))
        if kind == "acquire":
            return Acquire(words(needs), "h:1:t", index or None, try_=once or None)
        if kind == "release" and held:
            n = held[index % len(held)]
            return Release(n, self.tokens[session.name, n])
        if kind == "cancel" and held + waits:
            return Cancel((held + waits)[index % len(held + waits)])
        return None

    def _send(self, session: Session, commands: list[tuple[int, Command]], *, again: bool = False) -> None:
        reply = session.send(
            *[command for _, command in commands],
            numbers=[n for n, _ in commands],
            mark=min((n for n, _ in commands), default=session.n + 1),
        )
        expected = self._model_call(session.name, [] if again else commands)
        for (n, command), answer in zip(commands, reply.answers, strict=True):
            if answer["answer"] == "granted" and isinstance(command, Acquire):
                self._token(session.name, n, str(answer["token"]))
        if not again:
            said = [str(answer["answer"]) for answer in reply.answers]
            assert said == expected, (commands, said, expected)
            self.last = (session, commands, said)
        self._finish(session.name, len(commands), reply.granted)

    def _model_call(self, name: str, commands: Sequence[tuple[int, Command]]) -> list[str]:
        model, said = self.model, dict[int, str]()
        model.start(name)
        for n, command in commands:
            if isinstance(command, Release):
                said[n] = model.release(name, command.lease)
            elif isinstance(command, Cancel):
                said[n] = model.cancel(command.request)
        self._bury()
        for n, command in commands:
            if isinstance(command, Acquire):
                pairs = (need.rpartition("=") for need in command.needs.split())
                needs = tuple((limit, int(slots)) for limit, _, slots in pairs)
                said[n] = model.acquire(n, needs, command.priority or 0, once=bool(command.try_))
        return [said[n] for n, _ in commands]

    def _bury(self) -> None:
        for name in sorted(self.dead):
            self.model.bury(name)
        self.dead = []

    @precondition(lambda self: self.last is not None and self.last[0].name in self.sessions)
    @rule()
    def last_call_comes_twice(self) -> None:
        assert self.last is not None
        session, commands, before = self.last
        self._send(session, commands, again=True)
        self.last = None
        assert before is not None

    @rule(who=st.integers(0, 2))
    def session_beats(self, who: int) -> None:
        self._send(self._pick(who), [])

    @rule(
        who=st.integers(0, 2),
        limit=st.sampled_from(RULES),
        kind=st.sampled_from(["set", "set", "set", "delete", "pause", "resume"]),
        capacity=capacities,
    )
    def limit_is_changed(self, who: int, limit: str, kind: str, capacity: int) -> None:
        self.limit_changes(self._pick(who).name, limit, kind, capacity)

    def limit_changes(self, name: str, limit: str, kind: str, capacity: int) -> None:
        session, model = self.sessions[name], self.model
        change: dict[str, str | int] = {"limit": limit, "kind": kind}
        reply = session.change(change | ({"capacity": capacity} if kind == "set" else {}))
        model.start(name)
        said = model.set(limit, capacity) if kind == "set" else getattr(model, kind)(limit)
        assert reply.answer["answer"] == said, (change, reply.answer, said)
        self._bury()
        self._finish(name, 1, reply.granted)

    @precondition(lambda self: len(self.sessions) > 1)
    @rule(who=st.integers(0, 2))
    def session_ends(self, who: int) -> None:
        session = self._pick(who)
        del self.sessions[session.name]
        reply = session.end()
        self.model.start(session.name)
        self.dead.append(session.name)
        self._bury()
        self.model.caller = ""
        self._finish("", 1, reply.granted)

    @precondition(lambda self: len(self.sessions) > 1)
    @rule(who=st.integers(0, 2))
    def session_expires(self, who: int) -> None:
        name = self._pick(who).name
        del self.sessions[name]
        self.dead.append(name)
        pipe = self.calls.connection.pipeline()
        pipe.hset(self.calls.key(f"session:{name}"), "expiry", 0)
        pipe.zadd(self.calls.key("sessions"), {name: 0})
        pipe.hset(self.calls.key("meta"), "next", 0)
        pipe.execute()

    @rule(who=st.integers(0, 2))
    def session_turns_deaf_or_listens(self, who: int) -> None:
        name = self._pick(who).name
        self._subscribed(name, listens=name not in self.model.listening)

    @precondition(lambda self: self.model.resting)
    @rule(who=st.integers(0, 2))
    def reservation_runs_out(self, who: int) -> None:
        """First the reservation itself, then the time in which none begins."""
        self.calls.connection.hset(self.calls.key("meta"), "reserving_until", 0)
        if self.model.reserving is not None:
            self.model.end_reservation(rest=True)
        else:
            self.model.resting = False
        self._send(self._pick(who), [])

    # comparing
    def _finish(self, caller: str, commands: int, granted: Mapping[int, str]) -> None:
        model = self.model
        before = set(model.granted)
        model.drain(commands)
        worked_off = model.granted - before
        own = {n for name, n in worked_off if name == caller}
        assert set(granted) == own, f"the reply grants {set(granted)}, the model {own}"
        for n, token in granted.items():
            self._token(caller, n, token)
        pushed = {member for member in worked_off if member[0] != caller}
        told = {member for member in model.failed if member[0] in model.listening}
        self._hear(pushed, told)
        self._compare(self._check(), model.granted)

    def _check(self) -> Stored:
        return check(self.calls)

    def _hear(self, pushed: set[tuple[str, int]], told: set[tuple[str, int]]) -> None:
        heard, failed = set[tuple[str, int]](), set[tuple[str, int]]()
        while len(heard) + len(failed) < len(pushed) + len(told):
            message = self.listener.get_message(timeout=2)
            assert message is not None, f"not told: {pushed - heard}, {told - failed}"
            fields = msgpack.unpackb(message["data"])
            member = message["channel"].decode().rpartition(":")[2], fields["n"]
            (failed if fields.get("failed") else heard).add(member)
            if not fields.get("failed"):
                self._token(*member, fields["token"])
        assert (heard, failed) == (pushed, told)

    def _token(self, session: str, n: int, token: str) -> None:
        known = self.tokens.setdefault((session, n), token)
        assert known == token, f"{session}/{n} had the token {known}, now {token}"

    def _compare(self, stored: Stored, granted: set[tuple[str, int]]) -> None:
        model = self.model
        assert stored.leases() == numbers(model.leases), f"hold: {stored.leases()}, model {model.leases}"
        assert stored.requests() == numbers(model.requests), f"wait: {stored.requests()}, model {model.requests}"
        assert stored.aside() == numbers(model.aside), f"aside: {stored.aside()}, model {model.aside}"
        hashes = {key[6:]: value for key, value in stored.hashes.items() if key.startswith("group:")}
        places = {value["needs"]: value["place"] for value in hashes.values()}
        expected = {words(key): group.place for key, group in model.groups.items()}
        assert places == expected, f"places: {places}, model {expected}"
        reserving = stored.hashes["meta"]["reserving"]
        type(self).RESERVATIONS += bool(reserving)
        assert (hashes[reserving]["needs"] if reserving else None) == (
            words(model.reserving) if model.reserving is not None else None
        )
        assert not stored.sorted_sets.get("undrained", {}), "so few places are always worked off in one call"
        for session, n in granted:
            for limit, _ in model.leases.get(session, {}).get(n, ()):
                used = len(stored.sorted_sets[f"slots:{limit}"])
                assert used <= capacity_of(stored, limit), f"{session}/{n} was granted above {limit}: {used}"
