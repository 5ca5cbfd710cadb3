"""One run in child processes: they are warm, talk msgpack, and however one ends, its op ends with a line that says how.

Real processes, real signals. `jobs` has the ops.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from semaphores.errors import LeaseLost
from semaphores.guard.clock import now
from tests.workers import jobs
from tests.workers.runs import PoolsGate, Told, run
from tests.workers.test_in_process import in_loop
from workers import Op, job, multiprocess, op
from workers.definitions import load
from workers.errors import RunFailed
from workers.executor.children import Children
from workers.executor.execute import Executors
from workers.executor.protocol import Held


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").is_dir() else True


@in_loop
async def test_results_move_between_processes_as_they_do_in_one() -> None:
    told = Told()
    results = await run(jobs.two, told, args={"day": "monday"})
    assert results["second"][:3] == ["monday", [1, 2], True]
    assert results["second"][3] != os.getpid()
    assert told.events == [
        ("first", "STARTED"),
        ("first", "SUCCESS"),
        ("second", "STARTED"),
        ("second", "SUCCESS"),
    ]


@in_loop
async def test_a_child_is_used_again_by_the_next_op_and_the_next_run_and_gone_when_all_is_closed() -> None:
    async with Executors() as executors:
        pids = {(await run(jobs.acting, args={"what": "pid"}, executors=executors))["act"] for _ in range(3)}
    assert len(pids) == 1
    assert not alive(*pids)


@in_loop
async def test_a_child_that_is_idle_for_long_is_gone() -> None:
    async with Executors(Children(idle_for=0.05)) as executors:
        pid = (await run(jobs.acting, args={"what": "pid"}, executors=executors))["act"]
        (child,) = executors.children._idle
        await asyncio.wait_for(child.gone(), 10)
        assert not alive(pid)


@in_loop
async def test_an_op_in_a_child_knows_its_run_and_what_it_says_goes_to_the_runs_log() -> None:
    told = Told()
    async with Executors() as executors:
        about = await run(jobs.acting, args={"what": "about"}, executors=executors)
        await run(jobs.acting, told, args={"what": "say"}, executors=executors)
    assert about["act"] == ["run-1", "acting", "act", 1, 1, {"team": "growth"}]
    assert sorted(told.lines) == [
        ("INFO", "told"),
        ("INFO", "twice"),
        ("OUTPUT", "from below"),
        ("OUTPUT", "printed"),
        ("OUTPUT", "to stderr"),
        ("WARNING", "logged 1"),
    ]
    assert told.events[-1] == ("act", "SUCCESS")
    assert told.all[-1].op == "act", "no line comes after the end"


ENDS = [
    ("die", r"its process died of signal 11 \(SIGSEGV\)"),
    ("exit", "its process ended with exit code 3"),
    ("leave", "SystemExit: 4"),
    ("fail", "ValueError: bad value"),
    ("object", "the result of op 'act' is of type object in its dict, .* pass a path or key instead"),
    ("big", "the result of op 'act' has 1,048,581 bytes"),
    ("nothing_like_it", "KeyError"),
]


@in_loop
async def test_however_an_op_ends_badly_the_run_says_how() -> None:
    async with Executors() as executors:
        for what, line in ENDS:
            with pytest.raises(RunFailed, match=f"op 'act' failed: {line}"):
                await run(jobs.acting, args={"what": what}, executors=executors)


@in_loop
async def test_the_traceback_of_an_op_in_a_child_is_in_the_runs_log_without_our_own_frames() -> None:
    told = Told()
    with pytest.raises(RunFailed):
        await run(jobs.acting, told, args={"what": "fail"})
    trace = [text for kind, text in told.lines if kind == "ERROR"]
    assert trace[0].startswith("Traceback")
    assert "jobs.py" in trace[1]


@in_loop
async def test_an_op_whose_process_dies_is_tried_again(tmp_path: Path) -> None:
    told = Told()
    assert await run(jobs.retrying, told, args={"folder": str(tmp_path)}) == {"flaky": 3}
    assert [event[1] for event in told.events] == ["STARTED", "RETRY"] * 2 + ["STARTED", "SUCCESS"]


@in_loop
async def test_what_an_op_leaves_running_ends_with_it() -> None:
    async with Executors() as executors:
        for what in ("orphan", "detach") if sys.platform == "linux" else ("orphan",):
            left = (await run(jobs.acting, args={"what": what}, executors=executors))["act"]
            assert not alive(left), what
        with_thread = (await run(jobs.acting, args={"what": "thread"}, executors=executors))["act"]
        assert not alive(with_thread)
        if hasattr(os, "waitid"):
            forgot = (await run(jobs.acting, args={"what": "forget"}, executors=executors))["act"]
            assert alive(forgot), "what is dead already was not left running"


@in_loop
async def test_a_job_that_a_child_cannot_find_is_said_to_be_so() -> None:
    @op
    def local() -> None: ...

    @job(ops=[local], executor=multiprocess())
    def hidden() -> None: ...

    with pytest.raises(RunFailed, match="finds no job 'hidden' with op 'local' .*at the top level of the module"):
        await run(hidden)


@in_loop
async def test_a_job_of_a_file_is_found_by_a_child_through_its_path(tmp_path: Path) -> None:
    (tmp_path / "beside_the_file.py").write_text("ANSWER = 42\n")
    (tmp_path / "a_file_of_jobs.py").write_text(
        "from beside_the_file import ANSWER\n"
        "from workers import Definitions, job, multiprocess, op\n"
        "@op\ndef one(): return [ANSWER, __name__]\n"
        "@job(ops=[one])\ndef etl(): ...\n"
        "defs = Definitions(jobs=[etl], executor=multiprocess())\n"
        "del etl\n"
    )
    found = load(str(tmp_path / "a_file_of_jobs.py"))
    assert await run(found.jobs["etl"]) == {"one": [42, "a_file_of_jobs"]}


@in_loop
async def test_cancelling_lets_an_op_clean_up_and_then_nothing_is_left(tmp_path: Path) -> None:
    told = Told()
    task = asyncio.create_task(run(jobs.acting, told, args={"what": "wait", "folder": str(tmp_path)}))
    pids = await noted(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "finally").read_text() == "ran"
    assert not any(alive(pid) for pid in pids), "also not what left the session and ignores SIGTERM"
    assert told.events == [("act", "STARTED"), ("act", "CANCELED")]


@in_loop
async def test_cancelling_an_async_op_runs_its_finally_with_awaits(tmp_path: Path) -> None:
    task = asyncio.create_task(run(jobs.sleeping, args={"folder": str(tmp_path)}))
    await noted(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "finally").read_text() == "ran"


@pytest.mark.parametrize("what", ["deaf", "grip"])
def test_an_op_that_cannot_be_told_to_end_is_killed_after_the_grace(tmp_path: Path, what: str) -> None:
    @in_loop
    async def test() -> None:
        async with Executors() as executors:
            task = asyncio.create_task(
                run(jobs.acting, args={"what": what, "folder": str(tmp_path)}, executors=executors, cancel_timeout=0.3)
            )
            pids = await noted(tmp_path)
            begun = now()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert 0.3 <= now() - begun < 3
            assert not any(alive(pid) for pid in pids)

    test()


@pytest.mark.parametrize("what", ["deaf", "grip", "wait"])
def test_an_op_is_dead_before_its_lease_runs_out_whatever_it_does(tmp_path: Path, what: str) -> None:
    @in_loop
    async def test() -> None:
        async with Executors() as executors:
            await run(jobs.acting, args={"what": "pid"}, executors=executors)  # a warm child, which has no deadline
            deadline = now() + 1.5
            args = {"what": what, "folder": str(tmp_path)}
            with pytest.raises(RunFailed, match="its lease was not renewed in time"):
                await run(jobs.acting, args=args, executors=executors, rest=lambda: deadline - now())
            assert now() < deadline
            assert not any(alive(pid) for pid in await noted(tmp_path))

    test()


@in_loop
async def test_a_lease_that_is_renewed_lets_an_op_run_on_until_it_is_not(tmp_path: Path) -> None:
    life, end = 0.8, 0.0  # seconds; the deadline once it is renewed no more
    async with Executors() as executors:
        args = {"what": "deaf", "folder": str(tmp_path)}
        rest = lambda: end - now() if end else life  # noqa: E731
        task = asyncio.create_task(run(jobs.acting, args=args, executors=executors, rest=rest))
        (pid,) = await noted(tmp_path)
        await asyncio.sleep(2 * life)
        assert alive(pid)
        end = now() + life
        with pytest.raises(RunFailed, match="its lease was not renewed in time"):
            await task
        assert now() < end
        assert not alive(pid)


class LosingGate(PoolsGate):
    """Its slots are lost when `lose` is called: the task that holds them is cancelled, which surfaces as LeaseLost."""

    def __init__(self) -> None:
        super().__init__()
        self.left_at_exit: list[bool] = []

    @asynccontextmanager
    async def slots(self, op: Op, waiting: Callable[[str], None]) -> AsyncIterator[Held | None]:
        self.holder = asyncio.current_task()
        assert self.holder is not None
        try:
            yield None
        except asyncio.CancelledError:
            self.left_at_exit = [alive(pid) for pid in self.pids]
            self.holder.uncancel()
            raise LeaseLost("s/1", "pool:database", "it ran out") from None

    def lose(self, pids: list[int]) -> None:
        self.pids = pids
        assert self.holder is not None
        self.holder.cancel()


@in_loop
async def test_an_op_whose_slots_are_lost_is_dead_when_they_are_let_go_and_fails_alone(tmp_path: Path) -> None:
    told, gate = Told(), LosingGate()
    async with Executors() as executors:
        task = asyncio.create_task(
            run(jobs.pooled, told, args={"folder": str(tmp_path)}, gate=gate, executors=executors)
        )
        gate.lose(await noted(tmp_path))
        with pytest.raises(RunFailed, match="op 'pooled_op' failed: lease s/1 on pool:database was lost: it ran out"):
            await task
    assert gate.left_at_exit == [False]
    assert ("beside", "SUCCESS") in told.events


@in_loop
async def test_however_often_a_run_is_cancelled_it_ends_after_its_ops(tmp_path: Path) -> None:
    task = asyncio.create_task(run(jobs.acting, args={"what": "wait", "folder": str(tmp_path)}))
    pids = await noted(tmp_path)
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.05)
    assert not any(alive(pid) for pid in pids)


@in_loop
async def test_a_lease_that_is_lost_before_its_deadline_ends_its_op(tmp_path: Path) -> None:
    lost = False
    run_it = run(jobs.acting, args={"what": "deaf", "folder": str(tmp_path)}, rest=lambda: 0.0 if lost else 30.0)
    task = asyncio.create_task(run_it)
    pids = await noted(tmp_path)
    lost, begun = True, now()
    with pytest.raises(RunFailed, match="its lease was not renewed in time"):
        await task
    assert now() - begun < 2
    assert not any(alive(pid) for pid in pids)


WORKER = """
import asyncio, sys
from tests.workers import jobs
from tests.workers.runs import run
asyncio.run(run(jobs.acting, args={"what": sys.argv[1], "folder": sys.argv[2]}))
"""


@pytest.mark.parametrize("what", ["grip", "wait"])
def test_children_die_with_a_worker_that_is_killed(tmp_path: Path, what: str) -> None:
    @in_loop
    async def test() -> None:
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, what, str(tmp_path))
        pids = await noted(tmp_path)
        worker.kill()
        await worker.wait()
        async with asyncio.timeout(10):
            while any(alive(pid) for pid in pids):
                await asyncio.sleep(0.02)

    test()


async def noted(folder: Path) -> list[int]:
    """Wait until an op has noted its pids."""
    async with asyncio.timeout(30):
        while not (folder / "pids").exists():
            await asyncio.sleep(0.01)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


@in_loop
async def test_an_op_that_is_ended_while_it_writes_to_the_log_still_says_all(tmp_path: Path) -> None:
    told = Told()
    task = asyncio.create_task(run(jobs.acting, told, args={"what": "chatter", "folder": str(tmp_path)}))
    await told.until(lambda: len(told.lines) > 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.lines[-1] == ("INFO", "cleaned up")
    assert {len(text) for _, text in told.lines[:-1]} == {50_000}
