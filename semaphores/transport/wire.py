"""Wire: one blocking connection to the server, for threads. Bytes out, replies in; it knows no command but what proves
the server (INFO, the function `probe`) and loads the library there.

Every wire learns the id of its server when it opens: each call carries it, so that lost data is noticed.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import cast

import hiredis

from semaphores.errors import ServerError, ServerUnavailable
from semaphores.scripts.call import Trouble, function_words, pack_command, trouble_of
from semaphores.scripts.compose import library
from semaphores.scripts.probe import info_fields, judge, judge_load
from semaphores.transport.find import sync_connection_to, unreachable
from semaphores.transport.url import Endpoint

__all__ = ["ErrorReply", "Wire", "prove", "server_id_in"]

ErrorReply = hiredis.ReplyError
PROOF = 2.0  # seconds for the proof of a server
_proven: set[str] = set()  # ids of servers that were found good by this process
RECEIVE = 65536  # bytes; a grouped reply of 256 answers is about 20 kB


def prove(endpoint: Endpoint, key: str, server: str) -> None:
    """Prove a server that another kind of connection leads to. Raises ServerUnsuitable, ServerUnavailable."""
    if server not in _proven:
        Wire(endpoint, key, PROOF).close()


def server_id_in(info: bytes) -> str:
    """Return the run id in what INFO server says."""
    found = re.search(rb"run_id:(\w+)", info)
    return found[1].decode() if found else ""


class Wire:
    """One open connection. Not safe for use by two threads at once. Raises ServerUnavailable when it breaks."""

    def __init__(self, endpoint: Endpoint, key: str, timeout: float) -> None:
        self.endpoint = endpoint
        self._connection = sync_connection_to(endpoint, key, timeout)
        # redis-py opens it; replies are read past its parser
        self._socket: socket.socket = cast(socket.socket, self._connection._sock)
        self._reader = hiredis.Reader()
        self.timeout = timeout
        info = self.ask(b"INFO", b"server")
        if isinstance(info, ErrorReply):
            self.close()
            raise unreachable(endpoint, info)
        self.server = server_id_in(bytes(info)) if isinstance(info, bytes) else ""
        if self.server not in _proven:
            try:
                self._prove(key, info_fields(info) if isinstance(info, bytes) else {})
            except ServerError:
                self.close()
                raise

    def _prove(self, key: str, info: Mapping[str, str]) -> None:
        """Prove what we rely on, once for each server. Raises ServerUnsuitable by its name and version."""
        words = function_words("probe", key.removesuffix("meta"))
        reply = self.ask(*words)
        if isinstance(reply, ErrorReply) and trouble_of(str(reply)) is Trouble.LOAD:
            self.load(info)
            reply = self.ask(*words)
        if isinstance(reply, ErrorReply):
            judge(None, str(reply), info)
        elif isinstance(reply, list):
            judge(reply)
        _proven.add(self.server)

    def load(self, info: Mapping[str, str] | None = None) -> None:
        """Load the library. Raises ServerUnsuitable, ServerUnavailable where the server does not take it."""
        reply = self.ask(b"FUNCTION", b"LOAD", library().text)
        judge_load(str(reply) if isinstance(reply, ErrorReply) else None, info)

    def __repr__(self) -> str:
        return f"<Wire to {self.endpoint.redacted}>"

    def fileno(self) -> int:
        """Return the socket's descriptor, for select."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Write bytes."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            self.close()
            raise unreachable(self.endpoint, error) from None

    def receive(self, until: float = float("inf")) -> object:
        """Return the next reply; an error reply is returned, not raised.

        `until` is a moment on the monotonic clock: TimeoutError then, and the connection stays as it is.
        """
        reply = self._reader.gets()
        while reply is False:
            left = until - time.monotonic()
            try:
                if left < self.timeout:
                    self._socket.settimeout(max(0.001, left))
                data = self._socket.recv(RECEIVE)
            except OSError as error:
                if isinstance(error, TimeoutError) and left < self.timeout:
                    raise
                self.close()
                raise unreachable(self.endpoint, error) from None
            finally:
                if left < self.timeout:
                    with contextlib.suppress(OSError):  # whoever closes the client may have closed it meanwhile
                        self._socket.settimeout(self.timeout)
            self._feed(data)
            reply = self._reader.gets()
        return reply

    def received(self) -> list[object]:
        """Return the replies that are there now, without waiting."""
        replies: list[object] = []
        self._socket.settimeout(0)
        try:
            while True:
                self._feed(self._socket.recv(RECEIVE))
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            pass  # all that was there is read
        except OSError as error:
            self.close()
            raise unreachable(self.endpoint, error) from None
        finally:
            with contextlib.suppress(OSError):
                self._socket.settimeout(self.timeout)
        while (reply := self._reader.gets()) is not False:
            replies.append(reply)
        return replies

    def ask(self, *words: bytes) -> object:
        """Send one command and return its reply."""
        self.send(pack_command(*words))
        return self.receive()

    def bound(self, timeout: float) -> None:
        """Bound each read and write from here on, in seconds."""
        self.timeout = timeout
        self._socket.settimeout(timeout)

    def close(self) -> None:
        """Close the connection; in a forked child, its copy only."""
        self._connection.disconnect()

    def _feed(self, data: bytes) -> None:
        if not data:
            self.close()
            raise ServerUnavailable(f"{self.endpoint.redacted} closed the connection")
        self._reader.feed(data)
