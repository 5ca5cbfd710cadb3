"""Proxy: a TCP relay in front of a server that delays, holds, drops or resets what passes, each way on its own.

It knows no protocol. A switch that is thrown holds for every connection, those open already included, at once.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

__all__ = ["Proxy"]

SLICE = 0.005  # seconds between two looks at the switches


@dataclass(slots=True)
class _Way:
    """One direction of one connection: what was read and when."""

    source: socket.socket
    target: socket.socket
    up: bool  # towards the server
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)


class Proxy:
    """Relays connections to `port` on loopback. Use it as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.delay_replies = 0.0  # seconds
        self.hold_requests = False  # keep what clients send until released
        self.hold_replies = False  # keep what the server answers until released
        self.drop_requests = False  # read and forget
        self.drop_replies = False
        self.refuse = False  # close what connects from now on
        self._reset_after_reply = threading.Event()
        self.was_reset = threading.Event()
        self.held = threading.Event()  # a reply came while replies were held
        self._ways: list[_Way] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """The address of the server behind this proxy."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join(5)
        self.cut()
        self._listener.close()

    def hole(self, on: bool = True) -> None:
        """Make it a black hole: nothing passes either way, nothing is closed, connecting still works."""
        self.drop_requests = self.drop_replies = on

    def reset_after_next_reply(self) -> None:
        """When the server next answers, its client gets a reset in place of the answer: the call was carried out."""
        self.was_reset.clear()
        self._reset_after_reply.set()

    def cut(self) -> None:
        """Close every connection."""
        for way in list(self._ways):
            self._close(way)

    def _run(self) -> None:
        while not self._over:
            sources = [way.source for way in self._ways if way.source.fileno() >= 0]
            ready, _, _ = select.select([self._listener, *sources], [], [], SLICE)
            if self._listener in ready:
                self._accept()
            for way in list(self._ways):
                if way.source in ready:
                    self._read(way)
                self._pass_on(way)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.refuse:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:  # there is no server just now
            client.close()
            return
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways += [_Way(client, server, True), _Way(server, client, False)]

    def _read(self, way: _Way) -> None:
        if way.source.fileno() < 0:
            return
        try:
            data = way.source.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._close(way)
        elif not way.up and self._reset_after_reply.is_set():
            self._reset_after_reply.clear()
            way.target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
            self._close(way)
            self.was_reset.set()
        elif not (self.drop_requests if way.up else self.drop_replies):
            way.waiting.append((time.monotonic(), data))
            if not way.up and self.hold_replies:
                self.held.set()

    def _pass_on(self, way: _Way) -> None:
        if self.hold_requests if way.up else self.hold_replies:
            return
        due = time.monotonic() - (0.0 if way.up else self.delay_replies)
        while way.waiting and way.waiting[0][0] <= due and way.target.fileno() >= 0:
            try:
                way.target.sendall(way.waiting.popleft()[1])
            except OSError:
                self._close(way)

    def _close(self, way: _Way) -> None:
        for other in [one for one in self._ways if one.source in (way.source, way.target)]:
            with suppress(ValueError):
                self._ways.remove(other)
        for one in (way.source, way.target):
            one.close()
