"""The plan of a run: which ops may begin, by what they depend on, the limits of the run and their priority. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers import Job, job, op
from workers.limits import TagLimit
from workers.plan import Plan

ANY = 1_000  # ops at once: no limit


def work() -> None: ...


def job_of(*ops: Mapping[str, Any]) -> Job:
    return job(ops=[op(**each)(work) for each in ops])(work)


def named(plan: Plan, most: int = ANY, now: float = 0.0) -> list[str]:
    return [step.op.name for step in plan.take(most, now)]


def started(plan: Plan, most: int = ANY, now: float = 0.0) -> list[str]:
    return [name for name in named(plan, most, now) if plan.start(name, most)]


def limit(key: str, value: str | None = None, limit: int = 1, *, each: bool = False) -> TagLimit:
    return TagLimit(key, value, each, limit)


def tagged(name: str, **tags: str) -> dict[str, Any]:
    return {"name": name, "tags": tags}


def test_an_op_begins_when_all_before_it_have_succeeded() -> None:
    plan = Plan(job_of({"name": "a"}, {"name": "b"}, {"name": "c", "after": ["a", "b"]}))
    assert started(plan) == ["a", "b"]
    plan.succeed("a")
    assert started(plan) == []
    plan.succeed("b")
    assert started(plan) == ["c"]
    plan.succeed("c")
    assert plan.over


def test_priority_goes_first_and_then_the_order_of_definition() -> None:
    plan = Plan(job_of({"name": "low", "priority": -1}, {"name": "a"}, {"name": "b"}, {"name": "high", "priority": 9}))
    assert started(plan, most=3) == ["high", "a", "b"]
    plan.succeed("a")
    assert started(plan, most=3) == ["low"]


def test_no_more_than_max_concurrent_run_and_a_lower_one_ends_nobody() -> None:
    plan = Plan(job_of(*({"name": name} for name in "abcd")))
    assert started(plan, most=2) == ["a", "b"]
    plan.succeed("a")
    assert started(plan, most=1) == []
    plan.succeed("b")
    assert started(plan, most=1) == ["c"]
    assert started(plan, most=5) == ["d"]


LIMITS = [  # limits, tags of ops in order, those that start
    ([limit("db", "pg")], [{"db": "pg"}, {"db": "pg"}, {"db": "my"}, {}], "acd"),
    ([limit("db", limit=2)], [{"db": "pg"}, {"db": "my"}, {"db": "x"}, {}], "abd"),
    ([limit("db", each=True)], [{"db": "pg"}, {"db": "my"}, {"db": "pg"}, {"db": ""}], "abd"),
    ([limit("db", limit=2), limit("db", "pg")], [{"db": "pg"}, {"db": "pg"}, {"db": "my"}, {"db": "x"}], "ac"),
    ([limit("db", limit=2), limit("db", each=True)], [{"db": "a"}, {"db": "a"}, {"db": "b"}, {"db": "c"}], "ac"),
    ([limit("db", limit=3), limit("db", each=True, limit=2), limit("db", "a")],
     [{"db": "a"}, {"db": "a"}, {"db": "b"}, {"db": "b"}], "acd"),
    ([limit("tiny"), limit("large", limit=2)],
     [{"tiny": "1"}, {"tiny": "1"}, {"large": "1"}, {"large": "1", "tiny": "1"}, {"large": "1"}], "ace"),
    ([limit("db", "")], [{"db": ""}, {"db": ""}, {"db": "x"}], "ac"),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "tags", "expected"), LIMITS)
def test_an_op_starts_when_it_passes_every_limit_that_matches_its_tags(
    limits: list[TagLimit], tags: list[dict[str, str]], expected: str
) -> None:
    plan = Plan(job_of(*(tagged(name, **each) for name, each in zip("abcdefg", tags, strict=False))), limits)
    assert "".join(started(plan)) == expected


def test_an_op_that_waits_for_its_pool_takes_nothing_of_the_runs_own_limits() -> None:
    waits = {**tagged("waits", db="pg"), "pool": "busy"}
    plan = Plan(job_of(waits, tagged("free", db="pg"), {"name": "plain"}), [limit("db")])
    assert named(plan, most=1) == ["waits", "free"], "the one with a pool asks, and does not stand before the other"
    assert plan.start("free", 1)
    plan.succeed("free")
    assert started(plan, most=1) == ["plain"]


def test_slots_that_come_when_the_op_cannot_start_are_not_kept() -> None:
    plan = Plan(job_of({"name": "waits", "pool": "busy"}, {"name": "free"}))
    assert named(plan, most=1) == ["waits", "free"]
    assert plan.start("free", 1)
    assert not plan.start("waits", 1)
    assert plan.state("waits") == "ready"
    assert named(plan, most=1) == [], "it asks again when it could start"
    plan.succeed("free")
    assert named(plan, most=1) == ["waits"]


def test_no_more_ops_ask_for_a_pool_than_could_start() -> None:
    plan = Plan(job_of(*({"name": f"a{n}", "pool": "a"} for n in range(9)), {"name": "b", "pool": "b"}))
    assert named(plan, most=2) == ["a0", "a1", "b"]
    assert plan.start("a0", 2)
    assert named(plan, most=2) == []


def test_a_retry_waits_its_delay_and_counts_for_nothing_meanwhile() -> None:
    plan = Plan(job_of({"name": "a", "retries": 1, "retry_delay": 5.0}, {"name": "b"}))
    assert started(plan, most=1) == ["a"]
    assert plan.retry("a", now=10.0)
    assert started(plan, most=1, now=10.0) == ["b"]
    plan.succeed("b")
    assert (started(plan, now=14.9), plan.wake(14.0)) == ([], 1.0)
    assert started(plan, now=15.0) == ["a"]
    assert plan.attempt("a") == 2
    assert not plan.retry("a", now=15.0), "it had its one retry"


def test_what_comes_after_a_failed_op_is_skipped_and_the_rest_goes_on() -> None:
    plan = Plan(job_of({"name": "a"}, {"name": "b", "after": "a"}, {"name": "c", "after": ["b", "d"]}, {"name": "d"}))
    assert started(plan) == ["a", "d"]
    assert plan.fail("a") == ["b", "c"]
    assert started(plan) == []
    plan.succeed("d")
    assert plan.over
    assert [plan.state(name) for name in "abcd"] == ["failed", "skipped", "skipped", "succeeded"]


def test_an_op_whose_slots_cannot_be_had_fails_without_having_run() -> None:
    plan = Plan(job_of({"name": "a", "pool": "small", "slots": 9}, {"name": "b"}))
    assert named(plan, most=1) == ["a", "b"]
    assert plan.fail("a") == []
    assert plan.start("b", 1), "it left nothing behind that counts"


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, list[TagLimit]]:
    count = draw(st.integers(1, 8))
    ops = [
        {
            "name": f"o{n}",
            "after": [f"o{m}" for m in range(n) if draw(st.integers(0, 3)) == 0],
            "pools": draw(st.sampled_from([{}, {"a": 1}, {"b": 1}])),
            "tags": draw(st.dictionaries(st.sampled_from("kl"), st.sampled_from("xy"))),
            "retries": draw(st.integers(0, 2)),
            "priority": draw(st.integers(-1, 1)),
        }
        for n in range(count)
    ]
    limits = [limit("k", limit=2), limit("k", each=True), limit("l", "x", 2)]
    return job_of(*ops), draw(st.lists(st.sampled_from(limits), unique=True))


@settings(deadline=None, max_examples=100)
@given(made=jobs(), most=st.integers(1, 4), data=st.data())
def test_whatever_happens_limits_hold_nothing_idles_and_every_run_ends(
    made: tuple[Job, list[TagLimit]], most: int, data: st.DataObject
) -> None:
    job, limits = made
    plan = Plan(job, limits)
    asking: list[str] = []
    for _ in range(500):
        for name in named(plan, most):
            if job.steps[name].op.pools:
                asking.append(name)
            else:
                assert plan.start(name, most)
        running = [name for name, state in plan.unended().items() if state == "running"]
        assert len(running) <= most
        for each in limits:
            counted = [found for name in running if (found := each.counter(job.steps[name].op.tags)) is not None]
            assert all(counted.count(found) <= each.limit for found in counted)
        if plan.over:
            break
        assert running or asking, "nothing runs and nobody asks, yet the run is not over"
        name = data.draw(st.sampled_from(running + asking))
        if name in asking:
            asking.remove(name)
            if not plan.start(name, most):
                assert running, "only others of the run can have kept it from starting"
        elif data.draw(st.booleans()):
            plan.succeed(name)
        elif not plan.retry(name, 0.0):
            plan.fail(name)
    assert plan.over
