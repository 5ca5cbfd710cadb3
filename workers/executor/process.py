"""Process: one child process, seen from the worker: it is given ops, and its guard is told until when it may live.

Invariant: `carry_out` returns or raises only when nothing of the op is left: the child answered that it left nothing,
or its guard said that all that came of it is dead. (Elsewhere than on Linux, what an op detaches wholly by a double
fork is not seen.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.to_thread
import msgpack

from semaphores.guard.clock import now
from semaphores.guard.run import start_guard
from workers.executor.call import OpFailed
from workers.executor.messages import Done, Failed, Log, message_from
from workers.executor.output import Output, Tell, silent
from workers.executor.protocol import Rest

__all__ = ["Child"]

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); from workers.executor.child import main; main()"
_LOOK_EVERY, _LOOK_SHARE, _LOOK_LEAST = 0.25, 8, 0.02  # as the guard's: seconds, and looks in what is left of a lease


class Child:
    """One child process, with its guard."""

    def __init__(self, link: socket.socket, talk: socket.socket, output: int, guard: subprocess.Popen[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._guard = guard
        self._output = Output(output, self._loop)
        self._tell: Tell = silent
        self._reply: asyncio.Future[Done | Failed] = self._loop.create_future()
        self._over: asyncio.Future[tuple[int, str]] = self._loop.create_future()  # exit code, and why
        self._group = 0
        self._told = math.inf  # the deadline that the guard knows
        self._buried: asyncio.Task[None] | None = None
        self._late = False  # we killed it ourselves, at the deadline
        self._sockets = (link, talk)
        self._link: asyncio.Transport | None = None
        self._talk: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<Child {self._group or 'starting'}, {'alive' if self.alive else 'gone'}>"

    @classmethod
    async def start(cls) -> Child:
        """Start one. Raises OpFailed when the system has no room for it."""
        ours, link = socket.socketpair()
        mine, talk = socket.socketpair()
        output, written = os.pipe()
        command = [sys.executable, "-c", _BOOT, str(talk.fileno()), str(logging.getLogger().getEffectiveLevel())]
        try:
            guard = start_guard(
                [*command, json.dumps(sys.path)],
                link.fileno(),
                math.inf,
                os.environ,
                files=[talk.fileno()],
                output=written,
            )
        except OSError as error:
            for each in (ours, mine):
                each.close()
            os.close(output)
            raise OpFailed(f"no child process could be started: {error.strerror or error}") from None
        finally:
            os.close(written)
            link.close()
            talk.close()
        child = cls(ours, mine, output, guard)
        await child._connect()
        return child

    @property
    def guard(self) -> int:
        """The pid of its guard, which ends only when nothing of it is left."""
        return self._guard.pid

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call something when nothing is left of it."""
        self._over.add_done_callback(lambda _: callback())

    @property
    def alive(self) -> bool:
        """Whether it can take another op."""
        return not (self._over.done() or self._buried)

    async def carry_out(self, request: bytes, rest: Rest, tell: Tell, cancel_timeout: float) -> bytes:
        """Have it carry out an op and return the packed result; it lives no longer than `rest` says.

        Raises OpFailed: the op raised, or the process died. Cancelled, it ends the op first.
        """
        assert self._talk is not None
        self._tell = self._output.tell = tell
        self._reply = self._loop.create_future()
        self._begin(now() + rest())
        self._talk.write(request)
        try:
            while not await self._answered():
                self._renew(now() + rest())
        except asyncio.CancelledError:
            await self._surely(self._cancel(min(cancel_timeout, rest())))
            raise
        return await self._outcome()

    def dismiss(self) -> None:
        """Let it end by itself; its guard sees to it."""
        if self._buried is None:
            self._buried = self._loop.create_task(self._bury())
        if self._talk is not None:
            self._talk.close()
        if not self._reply.done():  # it would not hear of that while it is busy
            self._send("end")

    async def gone(self) -> None:
        """Wait until nothing is left of it."""
        await asyncio.wait([self._over])
        self.dismiss()
        await asyncio.wait([self._buried or self._over])

    async def _bury(self) -> None:
        await asyncio.wait([self._over])
        await anyio.to_thread.run_sync(self._guard.wait)  # it ends as soon as it said so

    # one op

    async def _answered(self) -> bool:
        pause = max(_LOOK_LEAST, min(_LOOK_EVERY, (self._told - now()) / _LOOK_SHARE))
        return await self._first(pause)

    async def _first(self, longest: float) -> bool:
        """Wait for an answer or the end of the process, at most so many seconds. Return whether there was one."""
        either: list[asyncio.Future[Any]] = [self._reply, self._over]
        done, _ = await asyncio.wait(either, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)

    async def _outcome(self) -> bytes:
        if not self._reply.done():
            await self._surely(self._end())
            raise OpFailed(self._how_it_died())
        reply = self._reply.result()
        self._output.drain()  # it wrote all before it answered
        if reply.clean and not self._over.done():
            self._begin(math.inf)
        else:
            await self._surely(self._end())
        self._tell = self._output.tell = silent
        if isinstance(reply, Failed):
            raise OpFailed(reply.line, reply.trace)
        return reply.result

    async def _cancel(self, grace: float) -> None:
        """SIGTERM, then SIGKILL; return when nothing is left."""
        self._send(f"signal {signal.SIGTERM:d}")
        await self._first(grace)
        if not (self._reply.done() or self._over.done()):
            self._send(f"signal {signal.SIGKILL:d}")
        await self._end()

    async def _surely(self, ending: Coroutine[Any, Any, None]) -> None:
        """Carry something out to its end, however often this task is cancelled meanwhile."""
        task = self._loop.create_task(ending)
        canceled = False
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError:  # by whom no scope keeps out
                    canceled = True
        if canceled:
            raise asyncio.CancelledError

    async def _end(self) -> None:
        """End it with all that came of it."""
        self.dismiss()
        if not self._over.done():
            self._send("end")
        await self.gone()

    def _how_it_died(self) -> str:
        code, why = self._over.result()
        if self._late or why in ("deadline", "lost", "end"):
            return "its lease was not renewed in time, so its process was ended"
        if why == "guard":
            return "its guard process died, so its process was killed"
        if code >= 0:
            return f"its process ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "?"
        memory = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"its process died of signal {-code} ({name}){memory}"

    # its guard

    def _begin(self, deadline: float) -> None:
        self._told = deadline
        self._send(f"begin {deadline!r}")

    def _renew(self, deadline: float) -> None:
        if deadline > self._told and self._send(f"deadline {deadline!r}"):
            self._told = deadline
        if now() >= deadline:
            self._late = True
            self._kill_group()  # the guard was there before us, unless the lease was lost, or the guard stands still

    def _send(self, line: str) -> bool:
        if self._link is None or self._link.is_closing():
            return False
        self._link.write(line.encode() + b"\n")
        return True

    def hear_guard(self, line: str) -> None:
        """Take in what the guard says; an empty line: it is gone."""
        word, *values = line.split() or ["gone"]
        if word == "started":
            self._group = int(values[0])
        elif word == "stopped":
            self._send(f"signal {signal.SIGCONT:d}")
        elif word == "over":
            self._ended(int(values[0]), values[1])
        elif word == "failed":
            self._ended(127, "itself")
        elif not self._over.done():
            self._kill_group()
            self._ended(0, "guard")

    def _ended(self, code: int, why: str) -> None:
        if self._over.done():
            return
        self._output.close()
        self._over.set_result((code, why))
        self._group = 0
        for transport in (self._link, self._talk):
            if transport is not None:
                transport.close()

    def _kill_group(self) -> None:
        if self._group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    # what it says

    async def _connect(self) -> None:
        link, talk = self._sockets
        try:
            self._link, _ = await self._loop.create_connection(lambda: _GuardLines(self), sock=link)
            self._talk, _ = await self._loop.create_connection(lambda: _Messages(self), sock=talk)
        except BaseException:
            link.close()  # on which the guard ends all
            talk.close()
            self._output.close()
            raise

    def hear(self, told: dict[str, object]) -> None:
        """Take in a message of the child."""
        message = message_from(told)
        if isinstance(message, Log):
            self._tell(message.level, message.text)
        elif not self._reply.done():
            self._reply.set_result(message)


class _GuardLines(asyncio.Protocol):
    def __init__(self, child: Child) -> None:
        self._child, self._rest = child, b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._child.hear_guard(line.decode())

    def connection_lost(self, error: Exception | None) -> None:
        self._child.hear_guard("")


class _Messages(asyncio.Protocol):
    def __init__(self, child: Child) -> None:
        self._child = child
        self._unpacker = msgpack.Unpacker(max_buffer_size=0, raw=False)

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)
        for told in self._unpacker:
            self._child.hear(told)
