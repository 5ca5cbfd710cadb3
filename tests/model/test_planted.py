"""The state machine notices bugs: each is planted in the scripts' text, and a bounded number of histories finds it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.lua.harness import Plant
from tests.model.machine import Histories
from tests.model.run_machine import RunHistories
from tests.servers import Server

HISTORIES = 300  # at most: most of these bugs show within ten
RARE = (  # seen within 150 in some runs and not in others: for the long runs, with more histories
    "a waiter that leaves marks no place",
    "a grant is made although nobody listens",
    "a request stays in a group that it has left",
)


def replacing(old: str, new: str, count: int = 1) -> Plant:
    return lambda text: text.replace(old, new, count)


PLANTS = {
    "an ended lease does not mark its places": replacing("      mark('waiters:' .. limit)\n", ""),
    "nobody with precedence is looked for": replacing("head_order < order then", "head_order < -2 then"),
    "usage is read after the gathered changes count": replacing(
        "used[limit] = left > 0 and left or 0", "used[limit] = used[limit]"
    ),
    "a blocked group stays where it is": replacing("  if before == place then\n", "  if before then\n"),
    "a raised limit marks no place": replacing(
        "    place_mark('waiters:' .. limit)\n  end\n  call('XADD'", "  end\n  call('XADD'"
    ),
    "a changed default marks no place": replacing(
        "    places_mark_all('waiters:' .. ", "    string.len('waiters:' .. "
    ),
    "a waiter that leaves marks no place": replacing("  if place then\n    place_mark(place)\n  end\nend", "end"),
    "a grant is made although nobody listens": replacing("publish(session, grant) > 0", "publish(session, grant) >= 0"),
    "a group's score is not that of its first request": replacing(
        "  elseif place then\n    call('ZADD', key(place), digits(score), hash)", "  elseif place then"
    ),
    "an emptied place stays in the index": replacing(
        "call('ZREM', key('places'), before)", "call('EXISTS', key('places'))"
    ),
    "a request stays in a group that it has left": replacing("and group_lacks(hash, limited)", "and false"),
    "no room is kept for the reserving group": replacing("  return reservation_needs[limit] or 0", "  return 0"),
    "a reservation never ends": replacing("  if reservation_hash() == hash then\n", "  if false then\n"),
    "a weight counts as one": replacing(
        "- reservation_keeps(hash, limit) < slots", "- reservation_keeps(hash, limit) < 1"
    ),
}


def of_planted(histories: int) -> settings:
    return settings(
        max_examples=histories,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        print_blob=False,
    )


PLANTS_OF_RUNS = {
    "a free seat marks no queue": replacing("    undrained_add('queue ' .. queue)\n", "    string.len(queue)\n"),
    "a line is not listed under its first run": replacing(
        "      call('ZADD', key('jobs:' .. names[1]), digits(order), names[2])",
        "      call('ZADD', key('jobs:' .. names[1]), 'NX', digits(order), names[2])",
    ),
    "a run waits for a seat before it waits for a limit": replacing(
        "  return blocked and 'waiters:' .. blocked or 'line:'", "  return 'line:'"
    ),
    "a run whose worker is gone does not come back": replacing("    run_again(run)\n", "    run_end(run, 'FAILURE')\n"),
    "a new priority changes no place": replacing(
        "  if hash and hash ~= '' then\n    run_take_out(id, hash)\n    run_file",
        "  if false then\n    run_take_out(id, hash)\n    run_file",
    ),
}


@pytest.mark.parametrize("name", PLANTS_OF_RUNS)
def test_the_state_machine_of_runs_notices_a_planted_bug(server: Server, name: str) -> None:
    class Planted(RunHistories):
        SERVER = server
        PLANT = staticmethod(PLANTS_OF_RUNS[name])

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Planted, settings=of_planted(HISTORIES))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.faults] if name in RARE else []) for name in PLANTS]
)
def test_the_state_machine_notices_a_planted_bug(server: Server, name: str) -> None:
    class Planted(Histories):
        SERVER = server
        PLANT = staticmethod(PLANTS[name])

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Planted,
            settings=of_planted(10 * HISTORIES if name in RARE else HISTORIES),
        )
