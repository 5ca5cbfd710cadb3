"""Planted: bugs put into a worker process on purpose, each by its name. A checker that misses one is no checker."""

from __future__ import annotations

import os
from collections.abc import Callable

from semaphores.scripts import compose
from semaphores.scripts.call import Reply
from semaphores.session import deadline, session

__all__ = ["PLANTS", "plant"]


def _in_lua(old: str, new: str) -> None:
    files = compose.sources()
    if not any(old in text for text in files.values()):
        raise RuntimeError(f"the Lua files have no {old!r} any more: plant the bug elsewhere")
    changed = {name: text.replace(old, new) for name, text in files.items()}
    compose.sources = lambda: changed
    compose.library.cache_clear()


def _deadline_from_receipt() -> None:
    receive = session.Session._receive

    def late(self: session.Session, sent: session.Sent, reply: Reply) -> bool:
        sent.at = self.deadline.now()
        return receive(self, sent, reply)

    session.Session._receive = late  # type: ignore[method-assign]


def _no_deadline() -> None:
    deadline.Deadline.past = lambda self, now=None: False  # type: ignore[method-assign]


def _no_grace() -> None:
    _in_lua("if header.init then\n    meta_set('grace', 0)", "if true then\n    meta_set('grace', 0)")


def _no_ids() -> None:
    _in_lua("local before = acquired_before(n)", "local before = nil")


def _one_more() -> None:
    _in_lua("- reservation_keeps(hash, limit) < slots", "- reservation_keeps(hash, limit) + 1 < slots")
    _in_lua("limit and capacity_of(limit) <= used_of(limit)", "limit and capacity_of(limit) + 1 <= used_of(limit)")


PLANTS: dict[str, Callable[[], None]] = {
    "deadline from receipt": _deadline_from_receipt,
    "renewed past its deadline": _no_deadline,
    "no grace": _no_grace,
    "ids that are not idempotent": _no_ids,
    "one more": _one_more,
}


def plant() -> None:
    """Plant what the environment names, if anything."""
    name = os.environ.get("TEST_PLANTED_BUG")
    if name:
        PLANTS[name]()
