"""Child: the process in which ops are carried out, one after the other. It ends when its socket closes.

Whether it may live is not for it to say: a guard process owns it and ends it before a deadline (semaphores.guard).
SIGTERM raises SystemExit in the op, once, so that its `finally` blocks run.
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


def main() -> None:
    """Serve `SOCKET LEVEL`: carry out what is asked over the socket; records from the level on are told."""
    talk = socket.socket(fileno=int(sys.argv[1]))
    talk.set_inheritable(False)  # what an op starts must not keep it open
    root = logging.getLogger()
    root.addHandler(RunLog())
    root.setLevel(int(sys.argv[2]))
    for stream in (sys.stdout, sys.stderr):
        _by_lines(stream)
    child = _Child(talk)
    signal.signal(signal.SIGTERM, child.on_term)
    child.serve()
    os._exit(0)  # nobody waits for what threads of a user's module may still do


class _Child:
    def __init__(self, talk: socket.socket) -> None:
        self._talk = talk
        self._sending = threading.Lock()
        self._busy = False
        self._ended = False  # SIGTERM came

    def serve(self) -> None:
        """Carry out one op after the other until the socket closes."""
        requests = msgpack.Unpacker(max_buffer_size=0, raw=False)
        while came := self._talk.recv(1 << 16):
            requests.feed(came)
            for told in requests:
                self._send(self._carry_out(request_from(told)))

    def on_term(self, number: int, frame: FrameType | None) -> None:
        """End: at once when idle, else by an exception in the op."""
        if not self._busy:
            os._exit(128 + signal.SIGTERM)
        if not self._ended:
            self._ended = True
            raise SystemExit("it was told to end")

    def _carry_out(self, request: Request) -> Message:
        threads = set(threading.enumerate())
        told: Done | Failed
        try:
            self._busy = True
            told = Done(self._result(request), clean=True)
            self._busy = False
        except BaseException as error:  # noqa: BLE001 - whatever an op raises
            self._busy = False
            told = Failed(_plain(line_of(error)), True, [_plain(line) for line in trace_of(error)])
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

        return Context(request.run, request.job, request.op, request.attempt, request.run_attempt, request.tags, tell)

    def _send(self, message: Message) -> None:
        with self._sending:
            try:
                self._talk.sendall(message_of(message))
            except OSError:  # the worker is gone: nobody to tell
                os._exit(1)


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
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
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
