"""Tracing: waits and holds are spans in the caller's trace, runs and ops are one; nothing is there unless asked for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span

from semaphores import AcquireTimeout, Client, LeaseLost, connect, tracing
from semaphores.runs import RunSpec
from tests.servers import Server
from workers import Job, op
from workers.definitions import Location
from workers.worker import Worker, WorkerSettings


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.enable(provider)
    try:
        yield exporter
    finally:
        tracing.disable()


@pytest.fixture
def client(server: Server, namespace: str) -> Iterator[Client]:
    with connect(server.url, namespace=namespace, init=True) as made:
        made.limits.set("pool:db", 1)
        yield made


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == f"semaphores {name}"]


def inside(span: ReadableSpan, outer: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == outer.context.span_id


def test_wait_and_hold_stand_in_the_callers_trace_and_the_body_in_the_hold(
    spans: InMemorySpanExporter, client: Client
) -> None:
    with tracing.span("caller", {}) as caller:
        with client.pool("db") as lease, tracing.span("body", {}):
            pass
        assert get_current_span() is caller
    (wait,), (hold,) = named(spans, "wait"), named(spans, "hold")
    outer = next(span for span in spans.get_finished_spans() if span.name == "caller")
    body = next(span for span in spans.get_finished_spans() if span.name == "body")
    assert inside(wait, outer)
    assert inside(hold, outer)
    assert inside(body, hold)
    assert wait.attributes is not None
    assert hold.attributes is not None
    assert (wait.attributes["semaphores.limits"], wait.attributes["semaphores.in_line"]) == ("pool:db=1", False)
    assert hold.attributes["semaphores.lease"] == lease.id


def test_in_asyncio_each_task_has_its_own_and_who_had_to_wait_says_for_what(
    spans: InMemorySpanExporter, client: Client
) -> None:
    async def one(name: str) -> None:
        with tracing.span(name, {}):
            async with client.pool("db"):
                await asyncio.sleep(0.02)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for name in ("first", "second"):
                tasks.create_task(one(name))

    asyncio.run(main())
    outer = {span.name: span for span in spans.get_finished_spans() if span.name in ("first", "second")}
    waits, holds = named(spans, "wait"), named(spans, "hold")
    for span in outer.values():
        assert sum(inside(wait, span) for wait in waits) == sum(inside(hold, span) for hold in holds) == 1
    waited = [dict(wait.attributes or {}) for wait in waits]
    assert sorted(bool(told["semaphores.in_line"]) for told in waited) == [False, True]
    assert [told["semaphores.blocked_by"] for told in waited if told["semaphores.in_line"]] == ["pool:db"]


def test_a_wait_that_times_out_and_a_lost_lease_are_errors(spans: InMemorySpanExporter, client: Client) -> None:
    async def main() -> None:
        with pytest.raises(LeaseLost):
            async with client.pool("db") as lease:
                with pytest.raises(AcquireTimeout):
                    await asyncio.to_thread(_times_out)
                await client.aio.release(lease.id)
                await asyncio.sleep(30)

    def _times_out() -> None:
        with connect(client.connections.endpoint.redacted, namespace=client.connections.namespace) as other:
            other.pool("db", timeout=0.1).__enter__()

    asyncio.run(main())
    (failed,) = (wait for wait in named(spans, "wait") if wait.status.status_code is StatusCode.ERROR)
    assert "AcquireTimeout" in (failed.status.description or "")
    (hold,) = named(spans, "hold")
    assert hold.status.status_code is StatusCode.ERROR
    assert "LeaseLost" in (hold.status.description or "")


@op(pool="db")
async def load() -> None:
    assert get_current_span().is_recording()


@op
def boom(load: None) -> None:
    raise ValueError("no more disk")


def test_a_run_and_its_ops_are_one_trace(spans: InMemorySpanExporter, client: Client) -> None:
    job = Job("etl", [load, boom])

    async def main() -> None:
        worker = Worker(Location("here", {"etl": job}), client.connections, WorkerSettings(concurrency=1))
        work = asyncio.create_task(worker.work())
        await client.aio.runs.submit(RunSpec("etl", location="here"), run="r1")
        await worker.until_finished(1)
        worker.drain()
        await work

    asyncio.run(main())
    (run,) = named(spans, "run")
    ops = {str((span.attributes or {})["semaphores.op"]): span for span in named(spans, "op")}
    (hold,) = named(spans, "hold")
    assert inside(hold, run)
    assert inside(ops["load"], hold), "it has the slots of its pool"
    assert inside(ops["boom"], run)
    assert [ops[name].status.status_code for name in ("load", "boom")] == [StatusCode.OK, StatusCode.ERROR]
    assert "no more disk" in (ops["boom"].status.description or "")
    assert run.status.status_code is StatusCode.ERROR
    assert dict(run.attributes or {})["semaphores.run"] == "r1"


@pytest.mark.parametrize(("asked", "loaded"), [("1", True), ("0", False)])
def test_nothing_of_it_is_imported_unless_asked_for(asked: str, loaded: bool) -> None:
    code = "import sys, semaphores.tracing as t; print(t.on, 'opentelemetry' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"SEMAPHORES_OTEL": asked}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(loaded)] * 2
