"""Tracing: spans of OpenTelemetry for waiting and holding, in the caller's trace. Needs the extra `otel`.

Off until `enable()` or SEMAPHORES_OTEL=1; then `tracing.on` is true. While it is off, nothing is imported, and nothing
is done but looking at that.

    wait   from asking for slots to having them, or to giving up
    hold   the body of the `with`: what it begins stands under it
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from semaphores.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from semaphores.lease import Stake
    from semaphores.request import Attempt

__all__ = ["Traced", "disable", "enable", "note", "on", "span"]

on = False
_tracer: Tracer | None = None

Facts = Mapping[str, str | int | float | bool]


def enable(provider: TracerProvider | None = None) -> None:
    """Make spans from now on: by this provider, else by the one that the process has set up.

    Raises UsageError where opentelemetry-api is not installed.
    """
    global on, _tracer  # noqa: PLW0603 (one switch a process)
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.trace") is None:
        raise UsageError("tracing needs opentelemetry-api: pip install 'redis-semaphores[otel]'")
    from opentelemetry import trace

    _tracer = trace.get_tracer("semaphores", tracer_provider=provider)
    on = True


def disable() -> None:
    """Make no more spans. Those that are open end as usual."""
    global on  # noqa: PLW0603 (one switch a process)
    on = False


class Traced:
    """The two spans of one `with`. Begun before it asks; what it holds is in the context of the body."""

    __slots__ = ("_before", "_hold", "_inside", "_wait")

    def __init__(self, attempt: Attempt) -> None:
        demand = attempt.demand
        told: dict[str, str | int | float | bool] = {"semaphores.limits": demand.words}
        told["semaphores.namespace"] = attempt.connections.namespace
        if demand.priority:
            told["semaphores.priority"] = demand.priority
        self._wait = _begin("semaphores wait", told)
        self._hold: Span | None = None

    def failed(self, error: BaseException) -> None:
        """End it: nothing was granted."""
        _fail(self._wait, error)
        self._wait.end()

    def granted(self, attempt: Attempt, stake: Stake) -> None:
        """End the wait and begin the hold, inside which the caller goes on."""
        with suppress(Exception):  # what is wrong with tracing is not the holder's trouble
            self._granted(attempt, stake)

    def _granted(self, attempt: Attempt, stake: Stake) -> None:
        from opentelemetry import context, trace

        request = attempt.request
        self._wait.set_attribute("semaphores.in_line", request is not None and request.order is not None)
        if request is not None and request.blocked_by:
            self._wait.set_attribute("semaphores.blocked_by", request.blocked_by)
        self._wait.end()
        told = {"semaphores.limits": attempt.demand.words, "semaphores.lease": stake.shown.id}
        self._hold = _begin("semaphores hold", {**told, "semaphores.borrowed": stake.holding is None})
        self._before = context.get_current()
        self._inside = trace.set_span_in_context(self._hold)
        context.attach(self._inside)

    def left(self, error: BaseException | None) -> None:
        """End the hold; `error`: how its lease was lost, or what the body ended with."""
        from opentelemetry import context

        if self._hold is None:
            return
        with suppress(Exception):
            if context.get_current() is self._inside:  # else another task leaves it, or something inside is still open
                context.attach(self._before)
            if error is not None:
                _fail(self._hold, error)
            self._hold.end()


@contextmanager
def span(name: str, facts: Facts) -> Iterator[Span]:
    """Be inside a span while the block runs. To be called only while `on`."""
    assert _tracer is not None
    with _tracer.start_as_current_span(name, attributes=facts, record_exception=False) as made:
        yield made


def note(made: Span, ended: str) -> None:
    """Note how a run or an op ended: SUCCESS, or what went wrong."""
    from opentelemetry.trace import Status, StatusCode

    made.set_attribute("semaphores.ended", ended.partition(":")[0])
    made.set_status(Status(StatusCode.OK) if ended == "SUCCESS" else Status(StatusCode.ERROR, ended))


def _begin(name: str, facts: Facts) -> Span:
    assert _tracer is not None
    return _tracer.start_span(name, attributes=facts)


def _fail(failed: Span, error: BaseException) -> None:
    from opentelemetry.trace import Status, StatusCode

    failed.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


if os.environ.get("SEMAPHORES_OTEL") == "1" and find_spec("opentelemetry") is not None:
    enable()
