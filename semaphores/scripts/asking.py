"""Asking: a read as a generator that yields questions and is sent replies; written once, waited for twice.

Pure: who drives one brings the way to the server. `read_script` and `repair_script` answer the questions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import TypeAlias, TypeVar

import msgpack

from semaphores.errors import ServerError

__all__ = [
    "Asking",
    "Question",
    "Reply",
    "chunks",
    "decode_reply",
    "drive",
    "drive_async",
    "encode_question",
    "number",
    "rows",
    "text",
    "words",
]

T = TypeVar("T")
Question: TypeAlias = Mapping[str, object]
Reply: TypeAlias = Mapping[str, object]
Asking: TypeAlias = Generator[Question, Reply, T]


def drive(asking: Asking[T], ask: Callable[[Question], Reply]) -> T:
    """Run a read to its result; `ask` sends one question and returns its reply."""
    try:
        question = next(asking)
        while True:
            question = asking.send(ask(question))
    except StopIteration as done:
        result: T = done.value
        return result


async def drive_async(asking: Asking[T], ask: Callable[[Question], Awaitable[Reply]]) -> T:
    """Run a read to its result in an event loop."""
    try:
        question = next(asking)
        while True:
            question = asking.send(await ask(question))
    except StopIteration as done:
        result: T = done.value
        return result


def encode_question(question: Question) -> bytes:
    """Return a question as the server reads it: a map of words, without what is absent or empty."""
    packed: bytes = msgpack.packb({name: value for name, value in question.items() if value not in (None, (), [])})
    return packed


def decode_reply(data: bytes) -> Reply:
    """Return a reply as a mapping. Bytes that are no UTF-8 are kept as surrogates: a view must show what is there."""
    reply = msgpack.unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)
    if not isinstance(reply, dict):
        raise ServerError(f"the server answered {type(reply).__name__} where a map was due: is it the right server?")
    return reply


def rows(reply: Reply, name: str = "rows") -> list[Mapping[str, object]]:
    """Return the rows of a reply; absent means none."""
    found = reply.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def words(reply: Reply, name: str) -> list[str]:
    """Return a list of words of a reply; absent means none."""
    found = reply.get(name)
    return [str(word) for word in found] if isinstance(found, list) else []


def text(reply: Reply, name: str) -> str | None:
    """Return a field as text, or None where it is absent."""
    value = reply.get(name)
    return None if value is None else str(value)


def number(reply: Reply, name: str) -> float | None:
    """Return a field as a number, or None where it is absent or no number."""
    value = reply.get(name)
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def chunks(items: Iterable[T], size: int) -> list[list[T]]:
    """Return the items in lists of at most `size`."""
    every = list(items)
    return [every[first : first + size] for first in range(0, len(every), size)]
