"""Prompt: a small stand-in for redis-cli, for machines where none is installed. Talks to the embedded server only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from semaphores.errors import ServerUnavailable, UsageError
from semaphores.server.embedded import status
from semaphores.server.wire import Connection, Failure, Reply, Status

__all__ = ["cli", "shown"]

_STREAMS = {"MONITOR", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"}  # go on until interrupted
_PLAIN_TEXT = {"INFO", "LOLWUT", "CLIENT LIST", "CLIENT INFO", "MEMORY DOCTOR", "LATENCY DOCTOR"}
_ESCAPES = {
    ord("\\"): "\\\\",
    ord('"'): '\\"',
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
    7: "\\a",
    8: "\\b",
}


def cli(arguments: Sequence[str], write: Callable[[str], object] = print) -> int:
    """Send one command to the embedded server and write its reply as redis-cli does.

    Returns 0, or 1 if the reply is an error. Raises UsageError without a command, ServerUnavailable without a server.
    """
    if not arguments:
        raise UsageError("a command is missing: semaphores server cli KEYS '*'")
    found = status()
    if not found.running:
        raise ServerUnavailable(f"no embedded server answers on {found.socket}: 'semaphores server start' starts it")
    command = arguments[0].upper()
    try:
        with Connection(found.socket, timeout=None) as connection:
            reply = connection.call(*arguments)
            plain = command in _PLAIN_TEXT or " ".join(arguments[:2]).upper() in _PLAIN_TEXT
            write(reply.decode(errors="replace") if plain and isinstance(reply, bytes) else shown(reply))
            while command in _STREAMS and not isinstance(reply, Failure):
                write(shown(connection.read()))
    except KeyboardInterrupt:
        return 0
    except ConnectionError as error:
        if command == "SHUTDOWN":
            return 0
        raise ServerUnavailable(f"the embedded server went away: {error}") from error
    return 1 if isinstance(reply, Failure) else 0


def shown(reply: Reply, indent: int = 0) -> str:
    """Return a reply as redis-cli shows it; `indent` is where the lines after the first begin."""
    match reply:
        case Status(text):
            return text
        case Failure(text):
            return f"(error) {text}"
        case None:
            return "(nil)"
        case int():
            return f"(integer) {reply}"
        case bytes():
            return '"' + "".join(_ESCAPES.get(byte) or _character(byte) for byte in reply) + '"'
        case []:
            return "(empty array)"
    width = len(str(len(reply)))
    lines = [f"{n:>{width}}) {shown(item, indent + width + 2)}" for n, item in enumerate(reply, 1)]
    return ("\n" + " " * indent).join(lines)


def _character(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"
