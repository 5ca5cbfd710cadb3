"""Names: what limits, namespaces and sessions are called, and how they look inside a key.

Everything stored in the server is made of these names, so no two different names may ever look alike there.
Nothing here talks to a server.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256

from semaphores.errors import InvalidName, InvalidNumber

__all__ = [
    "DEFAULT_POOL",
    "MAX_CAPACITY",
    "MAX_POOLS",
    "MAX_SLOTS",
    "MAX_TAGS",
    "RUNS",
    "capacity",
    "encode_needs",
    "key_prefix",
    "needs_of",
    "plain",
    "pool_limit",
    "slots",
    "tag_limit",
    "tag_value_limit",
    "unique_value_limit",
    "wake_channel",
]

RUNS = "runs"  # the limit on runs in progress (max_concurrent_runs)
DEFAULT_POOL = "pool:*"  # capacity of every pool that has none of its own (default_limit)

MAX_BYTES = 200  # of a pool, a tag key or a tag value, in UTF-8; keeps keys and error lines readable
MAX_CAPACITY = 1_000_000  # of a limit; beyond it a limit limits nothing
MAX_SLOTS = 1_000  # of one limit in one request: one member each, and 1,000 take the server 1.3 ms
MAX_TAGS = 64  # in one request
MAX_POOLS = 32  # in one request

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOOKS_HASHED = re.compile(r"sha256-[0-9a-f]{64}")


def plain(kind: str, name: str) -> str:
    """Return `name` if it can stand in a key as it is, as namespaces, sessions, queues and jobs do.

    Raises InvalidName unless it is 1 to 64 letters, digits, `_`, `.` or `-`.
    """
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        raise InvalidName(kind, name, "1 to 64 letters, digits, '_', '.' or '-'")
    return name


def pool_limit(pool: str) -> str:
    """Return the name of a pool's limit: `pool:NAME`."""
    return "pool:" + _encode("pool", pool, reserved="*")


def tag_limit(key: str) -> str:
    """Return the name of the limit on all runs or leases that carry the tag `key`, whatever its value."""
    return "tag:" + _encode("tag key", key, also="=")


def tag_value_limit(key: str, value: str) -> str:
    """Return the name of the limit on one value of a tag: `tag:KEY=VALUE`. A value over 200 bytes becomes its hash."""
    text = _text("tag value", value, empty=True)
    if len(text.encode()) > MAX_BYTES:
        return f"{tag_limit(key)}=sha256-{sha256(text.encode()).hexdigest()}"
    encoded = _escape(text, reserved="*")
    if _LOOKS_HASHED.fullmatch(encoded):  # a short value that looks like the hash of a long one
        encoded = "%73" + encoded[1:]
    return f"{tag_limit(key)}={encoded}"


def unique_value_limit(key: str) -> str:
    """Return the name of the rule that limits each value of a tag on its own: `tag:KEY=*`."""
    return tag_limit(key) + "=*"


def needs_of(pools: Mapping[str, int], tags: Mapping[str, str]) -> dict[str, int]:
    """Map what a caller asks for to slots by limit name, in the order in which limits are tried.

    A tag takes one slot of `tag:KEY` and one of `tag:KEY=VALUE`. Raises InvalidName or InvalidNumber.
    """
    if len(pools) > MAX_POOLS:
        raise InvalidNumber("pools in one request", len(pools), f"at most {MAX_POOLS}")
    if len(tags) > MAX_TAGS:
        raise InvalidNumber("tags in one request", len(tags), f"at most {MAX_TAGS}")
    needs = {pool_limit(pool): slots(count) for pool, count in pools.items()}
    for key, value in tags.items():
        if key in ("job", "location"):
            raise InvalidName("tag key", key, "another key: 'job' and 'location' are set by the system")
        needs[tag_limit(key)] = 1
        needs[tag_value_limit(key, value)] = 1
    return dict(sorted(needs.items())) if len(needs) > 1 else needs


def encode_needs(needs: Mapping[str, int]) -> str:
    """Return needs as the words the server stores: `pool:api=2 pool:database=1`, sorted by bytes as Lua sorts."""
    return " ".join(f"{limit}={count}" for limit, count in sorted(needs.items(), key=lambda need: need[0].encode()))


def slots(count: int) -> int:
    """Return `count` if a request may take that many slots of one limit (1 to 1,000), else raise InvalidNumber."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_SLOTS:
        raise InvalidNumber("slots", count, f"a whole number from 1 to {MAX_SLOTS}")
    return count


def capacity(count: int) -> int:
    """Return `count` if it can be a limit's capacity: 0 (paused) to 1,000,000, or -1 (unlimited)."""
    if isinstance(count, bool) or not isinstance(count, int) or not -1 <= count <= MAX_CAPACITY:
        raise InvalidNumber(
            "limit", count, f"a whole number from 0 (nothing may start) to {MAX_CAPACITY}, or -1 (unlimited)"
        )
    return count


def key_prefix(namespace: str) -> str:
    """Return what every key of a namespace begins with. Its one hash tag keeps them on one cluster node."""
    return f"sem:{{{plain('namespace', namespace)}}}:"


def wake_channel(prefix: str, session: str) -> str:
    """Return the channel on which a session hears of its grants."""
    return f"{prefix}wake:{session}"


def _text(kind: str, name: str, *, empty: bool = False) -> str:
    if not isinstance(name, str):
        raise InvalidName(kind, name, "text")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidName(kind, name, "text that can be written as UTF-8") from None
    if not name and not empty:
        raise InvalidName(kind, name, "at least one character")
    return unicodedata.normalize("NFC", name)


def _encode(kind: str, name: str, *, also: str = "", reserved: str | None = None) -> str:
    text = _text(kind, name)
    if len(text.encode()) > MAX_BYTES:
        raise InvalidName(kind, name, f"at most {MAX_BYTES} bytes")
    return _escape(text, also=also, reserved=reserved)


def _escape(text: str, *, also: str = "", reserved: str | None = None) -> str:
    if _PLAIN.fullmatch(text):
        return text  # as nearly all are
    if text == reserved:
        return "".join(f"%{byte:02X}" for byte in text.encode())
    return "".join(
        "".join(f"%{byte:02X}" for byte in char.encode())
        if char == "%" or char in also or char.isspace() or unicodedata.category(char) == "Cc"
        else char
        for char in text
    )
