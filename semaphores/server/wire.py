"""Wire: one plain connection to the embedded server, for starting, stopping and looking at it.

Not for semaphores: those go through the transport. Replies keep their kind (a status is not a string), which clients
with conveniences lose and a person at a prompt wants to see.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

__all__ = ["Connection", "Failure", "Reply", "Status"]


@dataclass(frozen=True)
class Status:
    """A reply such as OK."""

    text: str


@dataclass(frozen=True)
class Failure:
    """A reply that is an error."""

    text: str


Reply: TypeAlias = "Status | Failure | int | bytes | list[Reply] | None"


class Connection:
    """A connection to the server that listens on `path`. `timeout` in seconds; None waits for ever.

    Every method raises OSError (also its TimeoutError and ConnectionError) when the server is not there or went away.
    """

    def __init__(self, path: Path, *, timeout: float | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(os.fsencode(path))
        except OSError:
            self._socket.close()
            raise
        self._stream: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def call(self, *arguments: str) -> Reply:
        """Send one command and return its reply."""
        words = [os.fsencode(argument) for argument in arguments]
        packed = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        self._socket.sendall(b"*%d\r\n%b" % (len(words), packed))
        return self.read()

    def read(self) -> Reply:
        """Read the next reply, or what the server sends by itself."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, text = line[:1], line[1:-2]
        if kind == b"+":
            return Status(text.decode(errors="replace"))
        if kind == b"-":
            return Failure(text.decode(errors="replace"))
        size = int(text)
        if kind == b":":
            return size
        if size < 0:
            return None
        if kind == b"*":
            return [self.read() for _ in range(size)]
        body = self._stream.read(size + 2)
        if len(body) < size + 2:
            raise ConnectionResetError("the server closed the connection")
        return body[:-2]
