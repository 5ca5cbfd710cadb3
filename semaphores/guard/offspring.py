"""Offspring: finding all that came of this process, on Linux. Imported by the guard, so it imports little."""

from __future__ import annotations

import os

__all__ = ["adopt", "offspring"]

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Become the parent of every descendant whose parent dies (a child subreaper).

    A kernel or sandbox that refuses leaves the guard with the process group, as on other systems.
    """
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def offspring() -> list[tuple[int, int]]:
    """Return pid and process group of every living descendant of this process, from one look through /proc.

    (/proc/PID/task/TID/children would be cheaper; not every kernel has it.)
    """
    children: dict[int, list[tuple[int, int]]] = {}
    with os.scandir("/proc") as processes:
        names = [entry.name for entry in processes]
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib loads slowly
                # PID (NAME) STATE PARENT GROUP: a name can hold anything, blanks and brackets too
                state, parent, group = file.read(512).rpartition(b")")[2].split()[:3]
        except OSError:  # gone meanwhile
            continue
        if state not in b"ZX":
            children.setdefault(int(parent), []).append((int(name), int(group)))
    found: list[tuple[int, int]] = []
    at = [os.getpid()]
    while at:
        below = children.get(at.pop(), [])
        found += below
        at += [pid for pid, _ in below]
    return found
