"""Session: what a call carries and what its reply changes. No socket and no thread of its own: ports and the keeper
bring calls and replies, from any thread.

Invariants: D is renewed from the send time of acknowledged calls only; a session past D is never renewed, its process
begins another; a grant belongs to its waiter from the moment it is handed over; one that nobody awaits is given back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock, RLock

from semaphores.errors import LeaseLost, Refused, SemaphoresError
from semaphores.scripts.answers import beat_of, error_of, run_of
from semaphores.scripts.call import Answer, Header, Reply, build
from semaphores.scripts.commands import Acquire, Beat, Begin, ChangeLimits, Command, End, Reassert, Release, encode
from semaphores.scripts.run_commands import Take
from semaphores.session.capacities import Capacities
from semaphores.session.company import Company
from semaphores.session.deadline import Deadline, suspend_clock
from semaphores.session.events import Began, Epoch, Event, Granted, Lost, Observer
from semaphores.session.ledger import Awaiting, Holding, Ledger, Pending
from semaphores.session.process import host_key, new_session_id, program, user, where
from semaphores.wording import readable

__all__ = ["Sent", "Session", "Settings"]

CLOSED = "the client was closed while this waited"
LONGEST_UNKNOWN = 10.0  # seconds: the T that holders may have whom a caller never heard of, or its own if longer


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session is configured with. Spans in seconds."""

    prefix: str
    ttl: float = 10.0
    w: float = 0.0  # how long an old primary may still acknowledge
    init: bool = False  # the caller knows that this server never had the namespace
    calm: bool = False  # the server is the embedded one and was stopped in order
    fallback: Callable[[], Mapping[str, int]] = dict  # capacities by limit, for what a loss of data leaves without one
    clock: Callable[[], float] = suspend_clock


@dataclass(slots=True, eq=False)
class Sent:
    """One call on its way."""

    data: bytes
    session: str
    at: float  # on the deadline's clock
    items: Sequence[Pending]
    begin: bool
    commands: Sequence[Command] = ()  # beats and the like, in front of the items, without N
    company: int = 0  # the number of the list of pids that it tells
    told: int = 0  # how many different needs the session held when it asked for the capacities of their limits


class Session:
    """The state of one process in one namespace. When it is lost, it goes on under another id, without its leases."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.deadline = Deadline(settings.ttl, settings.clock)
        self._adopted = False  # whether the namespace's T is known
        self.epoch = 0
        self.clock = 0
        self.capacities = Capacities()
        self.grace_until: float | None = None  # on the monotonic clock
        self.listening = False  # whether pushed grants can reach it
        self._filled = 0  # the epoch in whose grace limits were filled in from the configuration file
        self.company = Company()
        self.neighbours: Mapping[str, str] = {}  # other sessions of this host and their pids
        self.unlimited: set[str] = set()  # pools without a limit, as grants told
        self.on_trouble: Callable[[], None] = lambda: None  # something waits for the keeper's next call
        self.on_unlimited: Callable[[str], None] = lambda limit: None
        self.observers: list[Observer] = []  # of its leases
        self._replaces: str | None = None
        self._closed = False
        self._state = RLock()  # replies, grants and the end of a session come from several threads
        self._begin_anew()

    def __repr__(self) -> str:
        state = "LIVE" if self.deadline.started and not self.deadline.past() else "LOST" if self.begun else "NEW"
        return f"<Session {self.id} {state}, {len(self.ledger.held)} leases, {self.deadline.left():.1f} s left>"

    @property
    def wanted(self) -> bool:
        """Whether the server is to hear of it: it lives, something is to be sent, or an older one is to end there."""
        return bool(self.begun or self.returning or self._replaces or self.ledger.unanswered)

    def _begin_anew(self, last: int = 0) -> None:
        """Numbers go on, so that what comes late for the old session is never taken for an answer to the new one."""
        self.id = new_session_id()
        self.begun = False
        self.returning = False
        self.ledger = Ledger(self.id, last)
        self.deadline.forget()

    # what a call carries

    def call(
        self,
        items: Sequence[Pending],
        server: str,
        commands: Sequence[Command] = (),
        mark: int | None = None,
        function: str = "call",
    ) -> Sent:
        """Return a call that carries these commands, behind `begin` while the session has not begun."""
        with self._state:  # another thread may end this session: id, mark and items must be of the same one
            sent_at = self.deadline.now()
            if self.deadline.past(sent_at):
                self.check()  # past D nothing may renew it
            begin, session = not self.begun, self.id
            header, seen = self._header(session, server, sent_at), (self.epoch, self.clock)
            mark = self.ledger.mark() if mark is None else mark
            unanswered = self.ledger.unanswered
            items = [item for item in items if unanswered.get(item.n) is item]  # not those of a session that is over
            begins = self._begin() if begin else None
        encoded = [item.encoded for item in items]
        if commands:
            encoded = [*(encode(command, 0) for command in commands), *encoded]
        if begins is not None:
            encoded.insert(0, encode(begins, 0))
        data = build(self.settings.prefix, header, mark, seen, encoded, function)
        sent = Sent(data, session, sent_at, items, begin, commands)
        if begins is not None:
            sent.company = begins.company or 0
        return sent

    def one_shot(self, command: Command, server: str) -> bytes:
        """Return a call that begins a session of its own, runs one command and ends it."""
        header = self._header(new_session_id(), server, self.deadline.now())
        commands = [encode(self._begin(), 1), encode(command, 1), encode(End(), 2)]
        return build(self.settings.prefix, header, 1, (self.epoch, self.clock), commands)

    def _header(self, session: str, server: str, now: float) -> Header:
        settings, known = self.settings, self.epoch > 0  # an errand may have seen the epoch, though never the T
        return Header(
            session,
            server,
            self.deadline.ttl,
            self.deadline.ttl if self._adopted else max(LONGEST_UNKNOWN, settings.ttl),
            not self.deadline.past(now),
            settings.init and not known,
            settings.calm and not known,
            settings.w,
        )

    def _begin(self) -> Begin:
        pids, number = self.company.list()
        return Begin(
            host_key(),
            where(),
            program(),
            pids,
            self.settings.ttl,
            self._replaces,
            True if self.returning else None,
            number or None,
        )

    def beat_call(
        self, server: str, everything: bool, gone: Mapping[str, str], items: Sequence[Pending], function: str = "call"
    ) -> Sent:
        """Return a beat: all that the session holds and awaits, with commands that want sending again."""
        with self._state:  # the session must not become another one between its windows and its id
            self.check()
            mark, beats = self.ledger.beats(self.capacities.version, everything, host_key(), gone)
            if self.company.number:
                beats[0].pids, beats[0].company = self.company.list()
            sent = self.call(items, server, beats, mark, function)
            sent.company = beats[0].company or sent.company
            sent.told = self.capacities.asked
            return sent

    # what a reply changes

    def receive(self, sent: Sent, reply: Reply) -> bool:
        """Take in the reply to a call. False when its commands were not run and want to be sent again."""
        with self._state:
            return self._receive(sent, reply)

    def _receive(self, sent: Sent, reply: Reply) -> bool:
        if sent.session != self.id:
            return True  # of a session that is over: its books are closed
        if self.deadline.past():
            self.over("its deadline passed before the server answered")
            return True
        if self.saw(reply):
            self.on_trouble()
        self.grace_until = None if reply.grace is None else time.monotonic() + reply.grace
        if reply.grace is not None and self._filled != reply.epoch and not reply.lost:
            self._fill(reply.epoch)
        if reply.lost:
            return self._lost(sent, reply)
        answers = reply.answers
        if sent.begin:
            if not self._begun(sent, answers[0]):
                return True
            answers = answers[1:]
        self.deadline.renew(sent.at)
        if sent.company:
            self.company.heard(sent.company)
        for command, answer in zip(sent.commands, answers, strict=False):
            if isinstance(command, Beat):
                self._compared(answer, reply.grace is not None, sent.told)
        answers = answers[len(sent.commands) :] if sent.commands else answers
        self.ledger.answered(sent.items)
        for item, answer in zip(sent.items, answers, strict=True):
            if item.deliver is not None:
                item.deliver(answer)
        asked = [item.n for item in sent.items] if reply.granted else ()
        for grant in reply.granted:
            self._grant(grant.n, grant.token, grant.run, asked)
        return True

    def _fill(self, epoch: int) -> None:
        """After a loss: bring the limits of the configuration file that no living holder brings."""
        self._filled = epoch
        changes: list[Mapping[str, str | int]] = [
            {"limit": limit, "kind": "fill", "capacity": capacity}
            for limit, capacity in self.settings.fallback().items()
        ]
        if changes:
            self.send_later(ChangeLimits(changes, "file", user()))

    def saw(self, reply: Reply) -> bool:
        """Note the epoch and clock of a reply, whoever asked; True when the epoch is another than before."""
        new_epoch = False
        if (reply.epoch, reply.clock) > (self.epoch, self.clock):
            new_epoch = self.epoch not in (0, reply.epoch)
            self.epoch, self.clock = reply.epoch, reply.clock
        if new_epoch:
            self._observed(Epoch(reply.epoch))
        return new_epoch

    def _begun(self, sent: Sent, answer: Answer) -> bool:
        if answer["answer"] != "begun":
            self.over(str(answer.get("reason", "the server did not begin it")))
            return False
        ttl = float(str(answer["ttl"]))
        longest = max(LONGEST_UNKNOWN, self.settings.ttl)
        if ttl > longest:
            self._replaces = None
            self._refuse_all(
                Refused(
                    f"this namespace has a ttl of {ttl:g} s, more than the {longest:g} s that this client takes for the"
                    f" longest: set SEMAPHORES_TTL={ttl:g} or connect(ttl={ttl:g})"
                )
            )
            self.ledger.answered(sent.items)
            if not any(isinstance(item.command, End) for item in sent.items):
                self.send_later(End())  # what the same call was granted must not stay for a T that long
            return False
        self.deadline.adopt(ttl)
        self._adopted = True
        first = not self.begun  # two calls may have been on their way, and both begin it
        self.begun, self.returning = True, False
        if first:
            self._observed(Began(self.id))
        return True

    def _lost(self, sent: Sent, reply: Reply) -> bool:
        if sent.begin:
            answer = reply.answers[0] if reply.answers else {}
            if answer.get("answer") == "failed":  # a broken key: another try would end no better
                self._refuse_all(error_of(answer))
                return True
            self._over(str(answer.get("reason", "the server did not begin its session")))
            return True
        if reply.grace is not None and (self.begun or self.returning):
            self.begun, self.returning = False, True  # lost with the data: it comes back under its own name
            self.on_trouble()
            return False  # as is every other call that was on its way then
        self._over("the server does not know its session any more")
        return True

    def grant(self, n: int, token: str, run: Mapping[str, str] | None = None) -> None:
        """Hand slots to the request that awaits them; give them back when nobody does, or too late."""
        with self._state:
            if self.deadline.past():
                self.over("its deadline passed before a grant arrived")
            else:
                self._grant(n, token, run)

    def _grant(self, n: int, token: str, run: Mapping[str, str] | None = None, asked: Collection[int] = ()) -> None:
        """`asked`: the numbers in the call whose reply brings it; that of `waits` may still be unread."""
        if n in self.ledger.held:
            return
        request = self.ledger.granted(n, token, time.time(), run)
        if request is None:
            self.send_later(Release(n, token))
            return
        needs = request.needs if run is None else run["words"]
        if self.observers:
            waited = time.monotonic() - request.asked
            in_line = n not in asked or request.order is not None
            self._observed(Granted(needs, waited, in_line, run["id"] if run else None))
        if self.capacities.hold(needs):
            self.on_trouble()  # the next beat brings what is known of its limits, at once
        request.wake()

    def _lose(self, holding: Holding, reason: str) -> None:
        holding.lose(reason)
        self._observed(Lost(holding.needs, reason))

    def _observed(self, event: Event) -> None:
        for observer in self.observers:
            observer(event)

    def fail(self, n: int, error: SemaphoresError) -> None:
        """Give a request an error for its outcome."""
        request = self.ledger.settled(n, error)
        if request is not None:
            request.wake()

    def revoke(self, n: int, by: str) -> None:
        """Take a lease away by force, and tell the server that its holder knows; of a run, when nothing of it runs."""
        holding = self.ledger.held.get(n)
        if holding is not None and holding.run is not None:
            holding.lose(f"it was released by force by {by}")  # whoever works on it releases it
        elif holding is not None and self.ledger.let_go(holding):
            self._lose(holding, f"it was released by force by {by}")
            self.send_later(Release(n, holding.token))

    def cancel(self, n: int, by: str) -> None:
        """Tell whoever works on a run that it is to be canceled."""
        holding = self.ledger.held.get(n)
        if holding is not None:
            holding.cancel(by)

    def ask_for(self, request: Awaiting) -> Pending:
        """Enter a request into the books; returns the command to send. Raises Refused after `close`."""
        with self._state:  # else it might be entered into the books of a session that ends just then, and wait for ever
            if self._closed:
                raise Refused(CLOSED)
            return self.ledger.enter_request(request, self._asked)

    def give_up(self, request: Awaiting) -> bool:
        """Stop awaiting a request; False when it has its outcome already."""
        with self._state:
            return self.ledger.give_up(request)

    def let_go(self, holding: Holding) -> bool:
        """Stop holding a lease; False when it was not held any more."""
        with self._state:
            return holding.session == self.id and self.ledger.let_go(holding)

    def _asked(self, request: Awaiting, n: int, answer: Answer) -> None:
        kind = answer["answer"]
        if kind == "granted":
            limit = answer.get("unlimited")
            if limit is not None and limit not in self.unlimited:
                self.unlimited.add(str(limit))
                self.on_unlimited(str(limit))
            self._grant(n, str(answer["token"]), run_of(answer), (n,))
        elif n != request.n:
            pass  # its session was lost meanwhile: it was sent again under another number
        elif kind == "waits":
            if "order" in answer:  # a take has none
                request.order = str(answer["order"])
            request.blocked_by = str(answer.get("limit", "")) or None
            if request.waits is not None and request.blocked_by is not None:
                request.waits(request.blocked_by)
            if not self.listening:
                self.on_trouble()  # the wake connection opens with the first that waits, followed at once by a beat
        elif kind != "over":
            self.fail(n, error_of(answer))

    def send_later(self, command: Command) -> None:
        """Enter a command that nobody waits for; the keeper's next call takes it along."""
        self.ledger.enter(command).sent = None
        self.on_trouble()

    def _compared(self, answer: Answer, grace: bool, told: int) -> None:
        if answer["answer"] != "beat":
            return
        beat = beat_of(answer)
        for grant in beat.granted:
            self.grant(grant.n, grant.token, grant.run)
        for n, by in beat.revoked.items():
            self.revoke(n, by)
        for n, by in beat.canceling.items():
            self.cancel(n, by)
        self.neighbours = beat.neighbours or self.neighbours
        self.capacities.told(beat.config, beat.limits, told)
        if beat.reassert:
            self._reassert(beat.reassert)
        for n in beat.unknown:
            self._unknown(n, grace)

    def _reassert(self, numbers: Sequence[int]) -> None:
        held = self.ledger.held
        leases: list[Mapping[str, object]] = [
            {"lease": n, "needs": h.needs, "token": h.token, "holder": h.holder, "since": int(h.since * 1000)}
            | ({"run": h.run} if h.run is not None else {})
            for n in numbers
            if (h := held.get(n)) is not None
        ]
        self.send_later(Reassert(leases, self.capacities.to_reassert(), self.capacities.newest))

    def _unknown(self, n: int, grace: bool) -> None:
        holding, request = self.ledger.held.get(n), self.ledger.awaited.get(n)
        if holding is not None and not grace:
            if self.ledger.let_go(holding) and not holding.finishing:
                self._lose(holding, "the server does not know it any more")
        elif request is not None and self.ledger.give_up(request):
            request.given_up = False  # sent again under a new N, in its old order
            self.ask_for(request).sent = None
            self.on_trouble()

    # how it ends

    def over(self, reason: str) -> None:
        """Lose every lease, and go on under another id: what waits is sent again in its old order."""
        with self._state:
            self._over(reason)

    def _over(self, reason: str) -> None:
        old = self.ledger
        with old.lock:
            held, awaited = list(old.held.values()), list(old.awaited.values())
            orphans = [
                p for p in old.unanswered.values() if not isinstance(p.command, (Acquire, Take, Release, Reassert))
            ]
            waiting = [p for p in old.unanswered.values() if isinstance(p.command, Release) and p.deliver]
            old.held.clear()
            old.awaited.clear()
            old.unanswered.clear()
            self._replaces = self.id if self.begun else self._replaces
            self._begin_anew(old.last)
        for holding in held:
            self._lose(holding, reason)
        for pending in waiting:
            if pending.deliver:
                pending.deliver({"answer": "gone"})
        for pending in orphans:
            if pending.deliver:
                pending.deliver({"answer": "cancelled"})
        for request in awaited:
            if not request.given_up:
                self.ask_for(request).sent = None
        self.on_trouble()

    def _refuse_all(self, error: SemaphoresError) -> None:
        for n in list(self.ledger.awaited):
            self.fail(n, error)
        unanswered = self.ledger.unanswered
        with (
            self.ledger.lock
        ):  # an `end` still has to be heard: a call that was under way may have been granted something
            for n in [n for n, pending in unanswered.items() if not isinstance(pending.command, End)]:
                del unanswered[n]

    def close(self) -> None:
        """Lose what is still held and fail what waits, now or later: its client was closed under it."""
        with self._state:
            self._closed = True
            for holding in self.ledger.holdings():
                holding.lose("its client was closed")
            self._refuse_all(Refused(CLOSED))

    def successor(self) -> Session:
        """Return a new session of the same namespace that knows what this one saw: no loss must pass unseen."""
        following = Session(self.settings)
        following.epoch, following.clock, following.observers = self.epoch, self.clock, self.observers
        return following

    def disown(self) -> None:
        """In a forked child: nothing here is ours. Locks may be held by threads that this process does not have."""
        self._state = RLock()
        self.ledger.lock = Lock()
        for holding in self.ledger.held.values():
            holding.lost = "it belongs to the process that this one was forked from"
        self.ledger.held.clear()
        self.ledger.awaited.clear()

    def check(self) -> None:
        """Lose everything if D is past: called by whoever watches the clock."""
        if self.deadline.past():
            with self._state:
                if self.deadline.past():
                    self._over(f"the server was not reached for {self.deadline.ttl:g} s (its ttl)")

    def lost_error(self, holding: Holding) -> LeaseLost | None:
        """Return why a lease is not certainly held now, reading the clock; None if it is."""
        if holding.lost is None and self.deadline.past() and holding.session == self.id:
            self.check()
        if holding.lost is None:
            return None
        limits = ", ".join(readable(need.rpartition("=")[0]) for need in holding.needs.split(" "))
        return LeaseLost(holding.id, limits, holding.lost)
