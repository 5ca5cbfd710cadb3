"""Child: the process in which ops are carried out, one after the other. It ends when its socket closes.

Whether it may live is not for it to say: a guard process owns it and ends it before a deadline (semaphores.guard).
SIGTERM raises SystemExit in the op, once, so that its `finally` blocks run. On Linux it is the parent of whatever an op
detaches, so that it can tell whether the op left anything.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import TextIO

import msgpack

from semaphores.guard.offspring import adopt
from semaphores.lease import Inherited, chain
from workers.context import Context, current
from workers.definitions import find_job
from workers.errors import NotFoundInModule
from workers.executor.call import result_name
from workers.executor.logs import RunLog
from workers.executor.messages import Done, Failed, Log, Message, Request, message_of, request_from
from workers.executor.trace import line_of, trace_of
from workers.op import Op
from workers.packing import pack, unpack
from workers.source import Source

__all__ = ["main"]

_TOLD_TO_END = "was told to end (SIGTERM): its lease was not renewed in time, or somebody meant it"


def main() -> None:
    """Serve `SOCKET LEVEL`: carry out what is asked over the socket; records from the level on are told."""
    talk = socket.socket(fileno=int(sys.argv[1]))
    talk.set_inheritable(False)  # what an op starts must not keep it open
    if sys.platform == "linux":
        adopt()
    root = logging.getLogger()
    root.addHandler(RunLog())
    root.setLevel(int(sys.argv[2]))
    for stream in (sys.stdout, sys.stderr):
        _by_lines(stream)
    _Child(talk).serve()
    os._exit(0)  # nobody waits for what threads of a user's module may still do


class _Child:
    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._sending = threading.Lock()
        self._busy = False
        self._ended = False  # SIGTERM came
        self._writing = False  # the main thread is in the middle of a message
        signal.signal(signal.SIGTERM, self._on_term)

    def serve(self) -> None:
        """Carry out one op after the other until the socket closes."""
        requests = msgpack.Unpacker(max_buffer_size=0, raw=False)
        while came := self._talk.recv(1 << 16):
            requests.feed(came)
            for told in requests:
                self._send(self._carry_out(request_from(told)))

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        """End: at once when idle, else by an exception in the op, once."""
        if not self._busy:
            os._exit(128 + signal.SIGTERM)
        first, self._ended = not self._ended, True
        if first and not self._writing:  # half a message would be none: then it is raised behind it
            raise SystemExit(_TOLD_TO_END)

    def _carry_out(self, request: Request) -> Message:
        threads = set(threading.enumerate())
        told: Done | Failed
        signal.signal(signal.SIGTERM, self._on_term)  # the op before may have changed it
        self._busy = True
        try:
            told = Done(self._result(request), clean=True)
            self._busy = False
        except BaseException as error:  # noqa: BLE001 - whatever an op raises
            self._busy = False
            line = f"its process {_TOLD_TO_END}" if self._ended else line_of(error)
            told = Failed(_plain(line), True, [_plain(each) for each in trace_of(error)])
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)
        told.clean = not self._ended and not _has_children() and not set(threading.enumerate()) - threads
        return told

    def _result(self, request: Request) -> bytes:
        op = _find(request)
        arguments = unpack(request.arguments)
        assert isinstance(arguments, dict)
        before = current.set(self._context(request))
        held = chain.set(tuple(Inherited(told) for told in request.lent))
        try:
            result = asyncio.run(op.function(**arguments)) if op.is_async else op.function(**arguments)  # type: ignore[arg-type]
        finally:
            current.reset(before)
            chain.reset(held)
        return pack(result, result_name(op.name))

    def _context(self, request: Request) -> Context:
        def tell(level: str, text: str) -> None:
            self._send(Log(level, _plain(text)))

        about = (request.run, request.job, request.op, request.attempt, request.run_attempt)
        return Context(*about, request.tags, request.token, tell)

    def _send(self, message: Message) -> None:
        told_before, main = self._ended, threading.current_thread() is threading.main_thread()
        if main:
            self._writing = True
        with self._sending:
            try:
                self._talk.sendall(message_of(message))
            except OSError:  # the worker is gone: nobody to tell
                os._exit(1)
        if main:
            self._writing = False
            if self._busy and self._ended and not told_before:
                raise SystemExit(_TOLD_TO_END)


def _find(request: Request) -> Op:
    module = Source(request.module, request.file).module()
    job = find_job(module, request.job)
    step = None if job is None else job.steps.get(request.op)
    if step is None:
        raise NotFoundInModule(
            f"a child process finds no job {request.job!r} with op {request.op!r} in module {request.module!r}:"
            " define it at the top level of the module, or in its Definitions"
        )
    return step.op


def _has_children() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass  # a dead one that the op did not wait for
    except ChildProcessError:
        return False
    return True


def _by_lines(stream: TextIO) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):  # the op closed it
        return


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
