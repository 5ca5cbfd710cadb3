"""Multiprocess: each op in a child process, which is gone before its slots can be somebody else's."""

from __future__ import annotations

from semaphores.lease import bequeath, chain
from workers.executor.call import Call
from workers.executor.children import Children
from workers.executor.messages import request_of
from workers.packing import packed_map
from workers.source import source_of

__all__ = ["Multiprocess"]


class Multiprocess:
    """Carries out ops in the children of this worker."""

    __slots__ = ("_cancel_timeout", "_children")

    def __init__(self, children: Children, cancel_timeout: float) -> None:
        self._children = children
        self._cancel_timeout = cancel_timeout  # seconds from SIGTERM to SIGKILL

    async def __call__(self, call: Call) -> bytes:
        """Return the packed result of an op. Raises OpFailed."""
        arguments, lent = packed_map(call.packed_arguments()), bequeath(chain.get())
        request = request_of(call.context, source_of(call.job.module), arguments, lent)
        child = await self._children.take()
        try:
            return await child.carry_out(request, call.rest, call.context.tell, self._cancel_timeout)
        finally:
            self._children.give_back(child)
