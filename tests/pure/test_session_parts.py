"""Deadline and ledger: until when a session may believe, and what it has in its books."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from semaphores.scripts.commands import Cancel, End
from semaphores.session.deadline import Deadline, beat_interval, margin
from semaphores.session.events import Event, Granted
from semaphores.session.ledger import Awaiting, Holding, Ledger
from semaphores.session.session import Session, Settings


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def request(name: str = "pool:db=1") -> Awaiting:
    return Awaiting(name, "h", 0, lambda: None)


def test_a_deadline_counts_from_when_the_call_was_sent_not_from_its_reply() -> None:
    clock = Clock()
    deadline = Deadline(10.0, clock)
    assert not deadline.past(), "nothing was acknowledged: there is nothing to be past"
    assert deadline.left() == 0.0
    deadline.renew(95.0)
    assert deadline.at() == 95.0 + 10.0 - 2.5
    clock.now = 102.4
    assert not deadline.past()
    clock.now = 102.5
    assert deadline.past()


def test_an_older_acknowledgement_never_shortens_a_deadline() -> None:
    deadline = Deadline(10.0, Clock())
    deadline.renew(99.0)
    deadline.renew(90.0)
    assert deadline.at() == 99.0 + 7.5


@given(st.floats(1, 60))
def test_a_deadline_is_before_the_servers_expiry_by_a_largest_clock_step(ttl: float) -> None:
    step = min(2.0, ttl / 5)
    assert margin(ttl) >= step + ttl / 20
    assert margin(ttl) < ttl / 2
    assert beat_interval(ttl, waiting=False) < step, "one session alone keeps the lease clock"
    assert beat_interval(ttl, waiting=True) <= beat_interval(ttl, waiting=False)


def test_the_mark_is_the_lowest_number_without_an_answer_queued_ones_too() -> None:
    ledger = Ledger("s")
    first, second, third = (ledger.enter(End()) for _ in range(3))
    assert ledger.mark() == 1
    ledger.answered([second])
    assert ledger.mark() == 1
    ledger.answered([first])
    assert ledger.mark() == 3
    ledger.answered([third])
    assert ledger.mark() == 4


def test_a_request_is_awaited_before_it_is_sent_and_held_once_granted() -> None:
    ledger, asked = Ledger("s"), request()
    pending = ledger.enter_request(asked, lambda request, n, answer: None)
    assert ledger.awaited == {pending.n: asked}
    assert ledger.granted(pending.n, "7", 0.0) is asked
    assert isinstance(asked.outcome, Holding)
    assert asked.outcome.id == f"s/{pending.n}"
    assert ledger.granted(pending.n, "7", 0.0) is None, "a grant is handed over once"
    assert ledger.let_go(asked.outcome)
    assert not ledger.let_go(asked.outcome), "and given back once"


def test_a_request_that_was_given_up_is_nobodys() -> None:
    ledger, asked = Ledger("s"), request()
    pending = ledger.enter_request(asked, lambda request, n, answer: None)
    assert ledger.give_up(asked)
    assert not ledger.give_up(asked)
    assert ledger.granted(pending.n, "7", 0.0) is None


def test_what_lost_its_connection_is_stale_at_once_and_the_rest_after_a_while() -> None:
    ledger = Ledger("s")
    broken, fresh = ledger.enter(Cancel(1)), ledger.enter(Cancel(2))
    broken.sent = None
    assert ledger.stale(before=0.0) == [broken]
    assert ledger.stale(before=float("inf")) == [broken, fresh]


@given(st.integers(0, 3500), st.integers(0, 30))
def test_the_windows_of_a_beat_cover_every_number_once(count: int, open_commands: int) -> None:
    ledger = Ledger("s")
    for _ in range(count):
        asked = request()
        pending = ledger.enter_request(asked, lambda request, n, answer: None)
        ledger.answered([pending])
    for _ in range(open_commands):
        ledger.enter(End())
    mark, beats = ledger.beats(0, True, None, ())
    assert mark == count + 1
    assert beats[0].low == 0
    assert beats[-1].high == ledger.last
    assert all(one.high + 1 == following.low for one, following in pairwise(beats))
    listed = [n for beat in beats for n in (beat.awaited or [])]
    assert listed == list(range(1, count + 1))
    assert all(beat.low <= n <= beat.high for beat in beats for n in (beat.awaited or []))


def test_a_session_with_more_windows_than_a_beat_carries_tells_them_in_turn() -> None:
    ledger = Ledger("s")
    for _ in range(15_000):
        ledger.answered([ledger.enter_request(request(), lambda request, n, answer: None)])
    seen = set()
    for _ in range(3):
        _, beats = ledger.beats(0, False, None, ())
        assert len(beats) == 12
        seen |= {beat.low for beat in beats}
    assert len(seen) == 15
    assert len(ledger.beats(0, True, None, ())[1]) == 15, "in a new epoch all at once"


def test_a_grant_that_overtakes_the_answer_waits_is_one_of_a_request_that_waited() -> None:
    session, events = Session(Settings("sem:{n}:")), list[Event]()
    session.observers.append(events.append)
    pushed, answered = request(), request()
    numbers = [session.ask_for(each).n for each in (pushed, answered)]
    session.grant(numbers[0], "7")  # by a message, or by a beat on another connection
    session.ledger.unanswered[numbers[1]].deliver({"answer": "granted", "token": "8"})  # type: ignore[misc]
    assert [event.in_line for event in events if isinstance(event, Granted)] == [True, False]
