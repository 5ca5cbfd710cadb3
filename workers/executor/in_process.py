"""In process: async ops in the worker's event loop, plain ones in a thread each.

Cancelling ends an async op at its next await. A thread cannot be ended: its op is waited for.
"""

from __future__ import annotations

import anyio
import anyio.to_thread

from workers.context import current
from workers.executor.call import Call, result_name
from workers.packing import pack

__all__ = ["InProcess"]


class InProcess:
    """Carries out ops here."""

    __slots__ = ("_threads",)

    def __init__(self, threads: anyio.CapacityLimiter) -> None:
        self._threads = threads

    async def __call__(self, call: Call) -> bytes:
        """Return the packed result of an op."""
        op = call.step.op
        function, arguments = op.function, call.arguments()
        before = current.set(call.context)
        try:
            if op.is_async:
                result = await function(**arguments)  # type: ignore[misc]
            else:
                result = await anyio.to_thread.run_sync(lambda: function(**arguments), limiter=self._threads)
        finally:
            current.reset(before)
        return pack(result, result_name(op.name))
