"""Troubles: what ports and errands share for replies that are errors: which commands fail; loading the library.

Nothing here keeps a state. A command that the server will not run always gets its end, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from semaphores.errors import SemaphoresError, ServerError, ServerUnavailable
from semaphores.scripts.call import Trouble, trouble_of
from semaphores.scripts.commands import Acquire
from semaphores.scripts.compose import locate
from semaphores.session.ledger import Pending
from semaphores.session.session import Session
from semaphores.transport.wire import ErrorReply, Wire

__all__ = ["ask_function", "out_of_memory", "refuse"]

LOADS = 5  # times to load a library that the server forgets again and again


def out_of_memory() -> ServerError:
    """Return the error of a request that a server without memory refused."""
    return ServerError("the server is out of memory and grants nothing new: raise its maxmemory, or free some of it")


def refuse(session: Session, items: Sequence[Pending], error: SemaphoresError) -> None:
    """Fail commands that the server will not run."""
    session.ledger.answered(items)
    for item in items:
        if isinstance(item.command, Acquire):
            session.fail(item.n, error)
        if item.deliver is not None:
            item.deliver({"answer": "over"})


def ask_function(wire: Wire, data: bytes) -> object:
    """Send one call of a function and return its raw reply, loading the library where the server does not have it.

    Raises ServerUnavailable when it is worth trying again, ServerError when it is not.
    """
    wire.send(data)
    reply = wire.receive()
    for _ in range(LOADS):
        if not isinstance(reply, ErrorReply) or trouble_of(str(reply)) is not Trouble.LOAD:
            break
        wire.load()
        wire.send(data)
        reply = wire.receive()
    if isinstance(reply, ErrorReply):
        if trouble_of(str(reply)) in (Trouble.WAIT, Trouble.ELSEWHERE):
            raise ServerUnavailable(f"{wire.endpoint.redacted}: {reply}")
        raise ServerError(locate(str(reply)))
    return reply
