"""Leaving: how a process ends with an op in one of its threads, which nothing can end.

Invariant: its slots are given back only when the thread is gone, so only when the process is: a forked child, which has
no thread but its own, waits for that and ends the session then.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import NoReturn

from semaphores.connections import Connections
from semaphores.errors import ServerError
from semaphores.scripts.commands import End
from semaphores.session.threads import LAST_CALL, ask_function
from semaphores.transport.wire import Wire

__all__ = ["leave"]


def leave(connections: Connections, code: int) -> NoReturn:
    """End this process at once, whatever its threads do; its runs go back to their queues when it is gone.

    Without a server they do so when its session is over.
    """
    sys.stdout.flush()
    with suppress(ServerError, OSError):
        session = connections.session
        session.close()
        wire = Wire(connections.endpoint, connections.prefix + "meta", LAST_CALL)
        last = session.call([session.ledger.enter(End())], wire.server).data
        alive, ours = os.pipe()
        if os.fork() == 0:
            os.close(ours)
            os.read(alive, 1)  # nobody writes: it returns when our parent is gone
            with suppress(ServerError, OSError):
                ask_function(wire, last)
            os._exit(0)
    logging.shutdown()
    os._exit(code)
