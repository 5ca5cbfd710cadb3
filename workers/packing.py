"""Packing: how results and arguments travel. msgpack, never pickle: what comes from a server must not become code.

None, bool, int (64 bits), float, str, bytes, datetime with a zone, and lists and dicts of these. A tuple comes back as
a list, and a dict's keys may be whatever of these can be a key.
"""

from __future__ import annotations

import msgpack

from workers.errors import NotPackable

__all__ = ["MAX_SIZE", "NONE", "pack", "packed_map", "unpack"]

MAX_SIZE = 1 << 20  # bytes of one result: it is kept in the server's memory, and shown to people
NONE = b"\xc0"  # None, packed
_RULE = "results are None, numbers, text, bytes, times with a zone, and lists and dicts of these"


def pack(value: object, what: str) -> bytes:
    """Return a value packed; `what` is how an error names it.

    Raises NotPackable: something in it is of another type, or it is over 1 MiB.
    """
    if value is None:
        return NONE
    try:
        packed = msgpack.packb(value, datetime=True)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotPackable(what, _reason(value, error)) from None
    if len(packed) > MAX_SIZE:
        raise NotPackable(what, f"has {len(packed):,} bytes when packed, {MAX_SIZE:,} (1 MiB) are the most")
    return bytes(packed)


def unpack(packed: bytes) -> object:
    """Return what was packed, anew each time: nobody shares it."""
    value: object = msgpack.unpackb(packed, timestamp=3, strict_map_key=False, raw=False)
    return value


def packed_map(parts: dict[str, bytes]) -> bytes:
    """Return the map of names to what is packed already."""
    packer = msgpack.Packer()
    return bytes(packer.pack_map_header(len(parts))) + b"".join(
        bytes(packer.pack(name)) + packed for name, packed in parts.items()
    )


def _reason(value: object, error: Exception) -> str:
    found = _stranger(value, 0)
    if found is not None:
        inside = "" if found is value else f" in its {type(value).__name__}"
        return f"is of type {_type_name(found)}{inside}, which cannot be packed ({_RULE})"
    return f"is of type {_type_name(value)}, which cannot be packed: {' '.join(str(error).split())} ({_RULE})"


def _stranger(value: object, depth: int) -> object | None:
    """Return the first thing in a value that msgpack does not know."""
    if depth > 20:
        return None
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        return next((each for part in value if (each := _stranger(part, depth + 1)) is not None), None)
    try:
        msgpack.packb(value, datetime=True)
    except TypeError:
        return value
    except (ValueError, OverflowError):
        return None
    return None


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
