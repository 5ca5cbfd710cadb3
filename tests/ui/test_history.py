"""History and drawings: what is remembered of an hour, and how it becomes shapes. Pure."""

from __future__ import annotations

from dataclasses import replace

from semaphores.status import LimitStatus
from semaphores.ui.drawing import bar, chart
from semaphores.ui.history import POINTS, STEP, History, Moment

IDLE = LimitStatus("pool:db", "pool 'db'", "pool", 4, 0, 0, None, False, None, False, None, "hand")
NOW = 1_000_000.0 * STEP


def busy(used: int, waiting: int = 0) -> LimitStatus:
    return replace(IDLE, used=used, waiting=waiting)


def test_each_step_keeps_its_peak() -> None:
    history = History()
    for used in (1, 3, 2):
        history.note(NOW, [busy(used, 5 - used)])
    assert history.of("pool:db", NOW)[-1] == Moment(3, 4, 4)


def test_a_step_in_which_nobody_looked_is_unknown_and_not_zero() -> None:
    history = History()
    history.note(NOW, [busy(1)])
    history.note(NOW + 3 * STEP, [busy(2)])
    told = [moment.used for moment in history.of("pool:db", NOW + 3 * STEP)]
    assert told[-4:] == [1, None, None, 2]
    assert set(told[:-4]) == {None}


def test_a_limit_that_was_idle_before_its_first_use_is_zero_there() -> None:
    history = History()
    history.note(NOW, [IDLE])
    history.note(NOW + STEP, [busy(1)])
    assert [moment.used for moment in history.of("pool:db", NOW + STEP)][-2:] == [0, 1]
    assert history.of("pool:never", NOW + STEP)[-1].used == 0


def test_an_hour_is_remembered_and_no_more() -> None:
    history = History()
    for step in range(3 * POINTS):
        history.note(NOW + step * STEP, [busy(step)])
    told = [moment.used for moment in history.of("pool:db", NOW + (3 * POINTS - 1) * STEP)]
    assert told == list(range(2 * POINTS, 3 * POINTS))


def test_what_is_idle_for_an_hour_takes_no_memory() -> None:
    history = History()
    history.note(NOW, [replace(busy(1), limit=f"pool:{n}") for n in range(100)])
    for step in range(1, POINTS + 2):
        history.note(NOW + step * STEP, [busy(1)])
    assert list(history._series) == ["pool:db"]


def test_a_bar_shows_what_is_used_and_never_more_than_all() -> None:
    assert [bar(0, 5), bar(1, 1000), bar(1, 2), bar(5, 5), bar(9, 5), bar(1, 0), bar(3, None)] == [
        0.0, 3.0, 50.0, 100.0, 100.0, 100.0, 0.0,
    ]  # fmt: skip


def test_a_chart_says_in_words_what_it_draws() -> None:
    unknown = [Moment(None, None, None)] * (POINTS - 2)
    drawn = chart([*unknown, Moment(2, 0, 4), Moment(4, 3, 4)], height=100)
    assert drawn.text == "last 1 min: up to 4 used, up to 3 waiting"
    assert drawn.used == "M118 100V51H119V2H120V100Z"
    assert drawn.waiting == "M119 26.5H120"
    assert drawn.capacity == "M118 2H120"
    assert chart([Moment(None, None, None)] * POINTS).text == "nothing seen yet"
