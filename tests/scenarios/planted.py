"""Planted: bugs of the system that the guide describes, and of our own past, put into our Lua on purpose.

Each names the scenarios that must notice it: one that passes with the bug proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from semaphores.scripts import compose

__all__ = ["BUGS", "Bug"]


@dataclass(frozen=True)
class Bug:
    """A change of one line or so, and who must notice."""

    name: str
    old: str
    new: str
    noticed_by: str  # the name of a scenario

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have all that connects in this process use a library with the bug. Raises ValueError if it has no place."""
        before, files = compose.sources, compose.sources()
        changed = {name: text.replace(self.old, self.new, 1) for name, text in files.items()}
        if changed == files:
            raise ValueError(f"no Lua file has {self.old!r} any more: plant the bug elsewhere")
        compose.sources = lambda: changed
        compose.library.cache_clear()
        try:
            yield
        finally:
            compose.sources = before
            compose.library.cache_clear()


# Of Dagster.
OF_OTHERS = (
    Bug(
        "a run that is blocked by a pool burns the slots of its tags",
        "  local hash = group_join('run:' .. id, needs_limited(needs), score, place, queue, job)\n",
        "  local hash = group_join('run:' .. id, needs_limited(needs), score, place, queue, job)\n"
        "  local held = string.sub(place, 1, 13) == 'waiters:pool:'\n"
        "  for limit in string.gmatch(held and words or '', '(tag:[^= ]+)=1') do\n"
        "    call('ZADD', key('slots:' .. limit), 1, id .. '/1')\n  end\n",
        "a run held back by a pool burns no slot of its tags",
    ),
    Bug(
        "the first use of a pool does not know the default limit",
        "    known = own or default or UNLIMITED\n",
        "    known = own or call('EXISTS', key('slots:' .. limit)) == 1 and default or UNLIMITED\n",
        "a default limit holds at first use also when all runs could go in one step",
    ),
    Bug(
        "an end hands a slot on although the limit was lowered",
        "local left = used[limit] - slots",
        "local left = math.min(used[limit], capacity_of(limit)) - slots",
        "lowering a pool from 3 to 1 stops nobody, and nothing begins until two of three have ended",
    ),
    Bug(
        "deleting a limit forgets who holds it",
        "    call('HDEL', key('limits:info'), limit)\n",
        "    call('HDEL', key('limits:info'), limit)\n    call('DEL', key('slots:' .. limit))\n",
        "a pool that is deleted and made again counts those that hold its slots still",
    ),
    Bug(
        "a worker that died keeps its slots",
        "  lease_end(session, n, line, place_mark)\n  if string.find(line, ' run=', 1, true) then",
        "  if string.find(line, ' run=', 1, true) then",
        "a run whose attempts are used up fails when its worker dies, and the next one goes on",
    ),
    Bug(
        "a slot that is given back wakes nobody",
        "      mark('waiters:' .. limit)\n",
        "",
        "two ops of a pool of two are at work, over all runs",
    ),
    Bug(
        "claims in one step do not see each other",
        "    used[limit] = used[limit] + slots\n",
        "",
        "many free seats in one call get no more runs than there are slots",
    ),
    Bug(
        "a limit of 0 is taken for none",
        "value >= 0 and value or UNLIMITED",
        "value > 0 and value or UNLIMITED",
        "zero lets nothing start, and a higher limit lets the first ones go at once",
    ),
    Bug(
        "a blocked run holds up whatever is behind it",
        "  local place = line_best(queue)\n",
        "  local place = call('ZCARD', key('places')) < 2 and line_best(queue)\n",
        "who is held back by a tag holds nobody up behind it",
    ),
    Bug(
        "a raised limit is noticed when somebody ends only",
        "    place_mark('waiters:' .. limit)\n  end\n  call('XADD'",
        "  end\n  call('XADD'",
        "raising a pool from 1 to 4 lets three more ops begin at once",
    ),
    Bug(
        "a changed default reaches no pool that is in use",
        "    places_mark_all('waiters:' .. ",
        "    string.len('waiters:' .. ",
        "a changed default holds for all pools that have none of their own, those that are in use too",
    ),
    Bug(
        "a run that is being canceled holds no slots",
        "  run_move(run.id, run.status, 'CANCELING', now_ms)\n",
        "  run_move(run.id, run.status, 'CANCELING', now_ms)\n"
        "  if line then\n    lease_end(session, n, line, place_mark)\n  end\n",
        "a run that is being canceled holds its slots until its op has ended",
    ),
)

# What our own mechanisms could get wrong.
OF_OURS = (
    Bug(
        "the lower priority goes first",
        "local order = (4095 - tonumber(fields.priority))",
        "local order = (4095 + tonumber(fields.priority))",
        "the higher priority goes first, then who came first",
    ),
    Bug(
        "a changed priority moves nobody",
        "  local order = (4095 - priority) * 2 ^ 40 + tonumber(run.order) % 2 ^ 40\n",
        "  local order = tonumber(run.order)\n",
        "a priority can be changed while a run waits, up and down",
    ),
    Bug(
        "runs take no pools at granularity run",
        "setting('granularity') == 'run' then\n    return pools",
        "setting('granularity') == 'never' then\n    return pools",
        "at most as many runs with an op of a pool are in progress as it has slots",
    ),
    Bug(
        "a full pool is not looked into when the granularity changes",
        "      undrained_add('unpool ' .. found[i] .. ' -inf')\n",
        "",
        "when the granularity becomes op, queued runs go on at once, and their ops wait",
    ),
    Bug(
        "minus one for a value sets aside the limit of each value",
        "math.min(own or UNLIMITED, default or UNLIMITED)",
        "(own or default or UNLIMITED)",
        "minus one for a value does not exempt it from the limit of each value",
    ),
    Bug(
        "a replacement does not wait for what it replaces",
        "  if #after == 0 then\n",
        "  if true then\n",
        "a replacement cancels the one in progress and starts when that has ended",
    ),
    Bug(
        "a queued run is not looked at by one that skips",
        "(#running > 0 or #queued > 0)",
        "#running > 0",
        "a run that skips is not queued while one of its job is queued",
    ),
    Bug(
        "a paused limit is changed at once",
        "      return '0', digits(capacity)\n",
        "      return digits(capacity), nil\n",
        "a paused limit lets nothing start and remembers what it was",
    ),
    Bug(
        "the run of a dead worker is forgotten",
        "  else\n    run_again(run)\n",
        "  else\n    run_end(run, 'CANCELED')\n",
        "the slots of a worker that died are not free before its time is over, and are within a second of it",
    ),
    Bug(
        "the maximum runtime is not looked at",
        "  if runtime > 0 then\n",
        "  if runtime > 10 ^ 9 then\n",
        "a run that exceeds its maximum runtime fails, and its slot goes to the next",
    ),
)

BUGS = (*OF_OTHERS, *OF_OURS)
