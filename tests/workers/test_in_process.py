"""One run in the worker's own process: order, results, retries, limits, pools, logs, cancelling."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import anyio
import pytest

from tests.workers.runs import PoolsGate, Told, run
from workers import Job, context, in_process, job, op
from workers.errors import RunFailed
from workers.executor.execute import Executors


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return wrapped


def job_of(*ops: Any, **more: Any) -> Job:
    return job(ops=ops, name="etl", **more)(lambda: None)


@in_loop
async def test_results_go_down_and_arguments_come_from_the_run() -> None:
    @op
    def extract(day: str, zone: str = "UTC") -> tuple[str, str]:
        return day, zone

    @op
    async def transform(extract: list[str]) -> str:
        return " ".join(extract)

    told = Told()
    assert await run(job_of(extract, transform), told, args={"day": "monday"}) == {
        "extract": ["monday", "UTC"],
        "transform": "monday UTC",
    }
    assert told.events == [
        ("extract", "STARTED"),
        ("extract", "SUCCESS"),
        ("transform", "STARTED"),
        ("transform", "SUCCESS"),
    ]


@in_loop
async def test_nobody_shares_a_result() -> None:
    @op
    def extract() -> list[int]:
        return [1]

    def use(extract: list[int]) -> list[int]:
        extract.append(2)
        return extract

    assert await run(job_of(extract, op(name="a")(use), op(name="b")(use))) == {
        "extract": [1],
        "a": [1, 2],
        "b": [1, 2],
    }


@in_loop
async def test_nothing_starts_when_an_argument_is_missing_or_the_run_config_is_wrong() -> None:
    @op
    def first() -> None: ...

    @op
    def extract(day: str) -> None: ...

    told = Told()
    with pytest.raises(RunFailed, match="op 'extract' of job 'etl' needs 'day'"):
        await run(job_of(first, extract), told)
    with pytest.raises(
        RunFailed, match=r"at max_concurrent; it belongs to execution.config.multiprocess.max_concurrent"
    ):
        await run(job_of(first), told, config={"max_concurrent": 2})
    with pytest.raises(RunFailed, match="op 'first' can never start: op tag 'db': limit 0"):
        limits = {"tag_concurrency_limits": [{"key": "db", "limit": 0}]}
        await run(job_of(op(tags={"db": "x"})(first.function)), told, config={"execution": {"config": limits}})
    assert told.all == []


@in_loop
async def test_an_op_that_fails_is_tried_again_and_then_skips_what_needs_it() -> None:
    tries = []

    @op(retries=1)
    async def extract() -> None:
        tries.append(context().attempt)
        raise ValueError("bad\nline")

    @op
    def transform(extract: None) -> None: ...

    @op
    def alone() -> str:
        return "ran"

    told = Told()
    with pytest.raises(RunFailed, match="op 'extract' failed: ValueError: bad line") as caught:
        await run(job_of(extract, transform, alone), told)
    assert (tries, caught.value.failures) == ([1, 2], {"extract": "ValueError: bad line"})
    assert caught.value.skipped == ("transform",)
    assert [event for event in told.events if event[1] != "STARTED"] == [
        ("extract", "RETRY"),
        ("extract", "FAILURE"),
        ("transform", "SKIPPED"),
        ("alone", "SUCCESS"),
    ]
    assert told.text("transform", "SKIPPED") == "op 'extract' failed"
    trace = [text for kind, text in told.lines if kind == "ERROR"]
    assert trace[0].startswith("Traceback")
    assert "test_in_process.py" in trace[1], "it begins with the op's own code"


@in_loop
async def test_all_that_failed_is_named() -> None:
    @op
    def a() -> None:
        raise ValueError

    @op
    def b() -> None:
        raise SystemExit(3)

    @op
    async def c() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RunFailed, match="3 ops failed: 'a': ValueError; 'b': SystemExit: 3; 'c': CancelledError"):
        await run(job_of(a, b, c))


@in_loop
async def test_a_result_that_cannot_travel_fails_here_as_it_would_in_a_child() -> None:
    @op
    def extract() -> object:
        return {1, 2}

    with pytest.raises(RunFailed, match="the result of op 'extract' is of type set, .*pass a path or key instead"):
        await run(job_of(extract))


class Meeting:
    """Ops that say when they are in and leave when they are let, or as many as make it `full` have come."""

    def __init__(self, full: int = 99) -> None:
        self.full = full
        self.inside: list[str] = []
        self.let = asyncio.Event()
        self.most = 0

    def op(self, name: str, **more: Any) -> Any:
        @op(name=name, **more)
        async def meet() -> None:
            self.inside.append(name)
            self.most = max(self.most, len(self.inside))
            if len(self.inside) >= self.full:
                self.let.set()
            await self.let.wait()
            self.inside.remove(name)

        return meet


@pytest.mark.parametrize(("most", "together"), [(None, 1), (1, 1), (2, 2), (9, 4)])
def test_as_many_ops_run_at_once_as_max_concurrent_says(most: int | None, together: int) -> None:
    @in_loop
    async def test() -> None:
        meeting = Meeting(full=together)
        await run(job_of(*(meeting.op(name) for name in "abcd"), executor=in_process(max_concurrent=most)))
        assert meeting.most == together

    test()


@in_loop
async def test_a_max_concurrent_that_is_a_function_is_asked_again_while_ops_run() -> None:
    meeting, told, most = Meeting(), Told(), [1]
    made = job_of(*(meeting.op(name) for name in "abcd"), executor=in_process(max_concurrent=lambda: most[0]))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, made, told)
        await told.until(lambda: meeting.inside == ["a"])
        most[0] = 3  # seen within a second, though no op ends
        await told.until(lambda: meeting.inside == ["a", "b", "c"])
        most[0] = 0  # new ones are held back
        meeting.let.set()
        await told.until(lambda: ("c", "SUCCESS") in told.events)
        assert ("d", "STARTED") not in told.events
        most[0] = 1


@in_loop
async def test_a_max_concurrent_that_cannot_be_asked_fails_the_run_with_its_error() -> None:
    def broken() -> int:
        raise OSError("no load")

    with pytest.raises(RunFailed, match="max_concurrent of job 'etl' cannot be asked: OSError: no load"):
        await run(job_of(op(context), executor=in_process(max_concurrent=broken)))
    with pytest.raises(RunFailed, match="returned 'many': it must be a whole number"):
        await run(job_of(op(context), executor=in_process(max_concurrent=lambda: "many")))  # type: ignore[arg-type]


@in_loop
async def test_ops_wait_for_their_pool_and_say_so_while_others_go_on() -> None:
    gate, told, meeting = PoolsGate(database=1), Told(), Meeting()
    made = job_of(
        meeting.op("a", pool="database"),
        meeting.op("b", pool="database"),
        meeting.op("c"),
        executor=in_process(max_concurrent=3),
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(made, told, gate=gate))
        await told.until(lambda: ("b", "WAITING") in told.events and ("c", "STARTED") in told.events)
        assert sorted(meeting.inside) == ["a", "c"]
        meeting.let.set()
    assert [event for event in told.events if event[0] == "b"] == [("b", "WAITING"), ("b", "STARTED"), ("b", "SUCCESS")]
    assert gate.free == {"database": 1}


@in_loop
async def test_between_retries_an_op_holds_no_slots() -> None:
    order = []

    @op(pool="database", retries=1, priority=1)
    def fails() -> None:
        order.append("fails")
        if len(order) == 1:
            raise ValueError

    @op(pool="database")
    def other() -> None:
        order.append("other")

    gate = PoolsGate(database=1)
    await run(job_of(fails, other, executor=in_process(max_concurrent=2)), gate=gate)
    assert order == ["fails", "other", "fails"]


@in_loop
async def test_an_op_whose_slots_cannot_be_had_fails_and_its_retries_are_not_wasted() -> None:
    class Refusing(PoolsGate):
        def slots(self, op: Any, waiting: Any) -> Any:
            self.asked.append(op.name)
            raise ValueError("pool 'small' has 1 slots, 9 were asked for")

    gate = Refusing()
    with pytest.raises(RunFailed, match="op 'context' failed: ValueError: pool 'small' has 1 slots"):
        await run(job_of(op(pool="small", slots=9, retries=5)(context)), gate=gate)
    assert gate.asked == ["context"]


@in_loop
async def test_what_an_op_logs_goes_to_its_runs_log_from_any_thread() -> None:
    log = logging.getLogger("some.library")

    @op
    def plain() -> None:
        log.warning("from %s", threading.current_thread() is threading.main_thread())
        context().log("a\nb")

    @op
    async def loop() -> list[object]:
        log.warning("from the loop")
        found = context()
        return [found.run, found.job, found.op, found.attempt, dict(found.tags)]

    told = Told()
    handlers = list(logging.getLogger().handlers)
    async with Executors() as executors:
        results = await run(job_of(plain, loop), told, executors=executors)
        log.warning("outside of an op")
    assert logging.getLogger().handlers == handlers
    assert told.lines == [("WARNING", "from False"), ("INFO", "a"), ("INFO", "b"), ("WARNING", "from the loop")]
    assert results == {"loop": ["run-1", "etl", "loop", 1, {"team": "growth"}]}


def test_there_is_no_context_outside_of_an_op() -> None:
    with pytest.raises(ValueError, match="inside an op"):
        context()


@pytest.mark.parametrize("most", [1, 2])
def test_cancelling_a_run_cancels_its_ops_and_says_so(most: int) -> None:
    @in_loop
    async def test() -> None:
        meeting, told = Meeting(), Told()
        made = job_of(meeting.op("a"), meeting.op("b"), executor=in_process(max_concurrent=most))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, made, told)
            await told.until(lambda: len(meeting.inside) == most)
            tasks.cancel_scope.cancel()
        assert [event for event in told.events if event[1] == "CANCELED"] == [("a", "CANCELED"), ("b", "CANCELED")][
            :most
        ]

    test()


@in_loop
async def test_a_plain_op_that_is_cancelled_is_waited_for() -> None:
    inside, leave, left = threading.Event(), threading.Event(), threading.Event()

    @op
    def plain() -> None:
        inside.set()
        leave.wait(30)
        left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, job_of(plain))
        await asyncio.to_thread(inside.wait, 30)
        tasks.cancel_scope.cancel()
        asyncio.get_running_loop().call_later(0.05, leave.set)
    assert left.is_set()
