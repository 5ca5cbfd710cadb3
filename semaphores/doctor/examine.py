"""Examine: walk everything that is stored, a bounded part a question, and tell what does not agree.

Each unit (a session, a page of leases, a group) is looked at in one call, so a living namespace gives no false
alarm. Keys are listed by name, since an index may be what is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from semaphores.doctor.finding import KINDS, Finding
from semaphores.scripts.asking import Asking, Reply, number, rows, text, words
from semaphores.scripts.stored import parse_info
from semaphores.status.namespace import audit

__all__ = ["examine"]

PAGE = 200  # names in one question
MOST_AUDITED = 10_000  # the audit keeps about as many

_TYPES = (  # of every key that is ours
    (r"meta|limits|limits:info|settings|broken|session:[^:]+(:leases|:requests|:aside)?|group:[0-9a-f]+", "hash"),
    (r"run:[^:]+(:ops)?|job:.+", "hash"),
    (
        r"places|undrained|timers|sessions|(slots|waiters|line|jobs|takes|runs|queued):.+|group:[0-9a-f]+:requests",
        "zset",
    ),
    (r"workers|jobs|(host|workers|codes|code):.+", "set"),
    (r"audit|run:[^:]+:log", "stream"),
)


def examine() -> Asking[tuple[Finding, ...]]:
    """Return everything that is wrong in a namespace, errors first."""
    keys = yield from _keys()
    found = _types(keys)
    if not keys:
        return ()
    listed = (yield from _index("sessions")) if keys.get("sessions") == "zset" else set()
    places = (yield from _index("places")) if keys.get("places") == "zset" else set()
    highest: dict[str, int] = {}
    for unit, names in _units(keys, listed, places).items():
        found += yield from _unit(unit, names, highest)
    reply = yield {"ask": "doctor", "unit": "namespace", "highest": {name: str(high) for name, high in highest.items()}}
    found += [_finding(row, {name: str(high) for name, high in highest.items()}) for row in rows(reply, "findings")]
    found = yield from _capacities_known(found)
    order = ("error", "warning", "note")
    unique = {(finding.what, finding.key, finding.detail): finding for finding in found}
    return tuple(sorted(unique.values(), key=lambda finding: (order.index(finding.severity), finding.key)))


def _units(keys: Mapping[str, str], listed: set[str], places: set[str]) -> dict[str, Iterable[str]]:
    """What is looked at, in order: by keys and by indexes, since either may be lost."""
    ids = listed | _named(keys, r"session:([^:]+)(?::.*)?")
    return {
        "session": ids,
        "leases": ids,
        "slots": _named(keys, r"slots:(.+)"),
        "requests": ids,
        "members": _named(keys, r"group:([0-9a-f]+):requests"),
        "group": _named(keys, r"group:([0-9a-f]+)(?::requests)?"),
        "place": places | _named(keys, r"((?:waiters|line):.+)"),
        "run": _named(keys, r"run:([^:]+)(?::.+)?"),
        "run_index": _named(keys, r"runs:(.+)"),
        "queued": _named(keys, r"queued:(.+)"),
        "takes": _named(keys, r"takes:(.+)"),
        "workers": {"all"} | _named(keys, r"workers:(.+)"),
        "codes": _named(keys, r"codes:(.+)"),
        "code": _named(keys, r"code:(.+)"),
        "lines": _named(keys, r"jobs:(.+)"),
        "jobs": ("jobs",),
        "job": _named(keys, r"job:(.+)"),
        "limits": ("limits", "limits:info"),
        "broken": ("broken",),
    }


def _keys() -> Asking[dict[str, str]]:
    keys: dict[str, str] = {}
    cursor: str | None = "0"
    while cursor is not None:
        reply = yield {"ask": "keys", "cursor": cursor}
        keys |= {text(row, "key") or "": text(row, "type") or "" for row in rows(reply)}
        cursor = text(reply, "cursor")
    return keys


def _types(keys: Mapping[str, str]) -> list[Finding]:
    found = []
    for key, actual in keys.items():
        wanted = next((kind for pattern, kind in _TYPES if re.fullmatch(pattern, key)), None)
        if wanted is None:
            found.append(_finding({"what": "unknown_key", "key": key}))
        elif actual != wanted:
            found.append(_finding({"what": "wrong_type", "key": key, "found": actual, "wanted": wanted}))
    return found


def _index(name: str) -> Asking[set[str]]:
    names: set[str] = set()
    cursor: str | None = "0"
    while cursor is not None:
        reply = yield {"ask": "index", "name": name, "cursor": cursor}
        names |= set(words(reply, "names"))
        cursor = text(reply, "cursor")
    return names


def _unit(unit: str, names: Iterable[str], highest: dict[str, int]) -> Asking[list[Finding]]:
    todo: list[object] = [[name, "0"] for name in sorted(names)]
    found: list[Finding] = []
    while todo:
        now, todo = todo[:PAGE], todo[PAGE:]
        reply = yield {"ask": "doctor", "unit": unit, "todo": now}
        found += [_finding(row) for row in rows(reply, "findings")]
        left, seen = reply.get("left"), reply.get("highest")
        todo = [*left, *todo] if isinstance(left, list) else todo
        for name, high in seen.items() if isinstance(seen, dict) else ():
            highest[name] = max(highest.get(name, 0), int(high))
    return found


def _finding(row: Reply, more: Mapping[str, str] | None = None) -> Finding:
    facts = {name: str(value) for name, value in row.items()} | dict(more or {})
    what, key = facts.pop("what"), facts.pop("key")
    kind = KINDS[what]
    detail = kind.detail.format_map(facts)
    return Finding(kind.severity, what, key, detail, kind.repair is not None, facts | {"key": key})


def _capacities_known(found: list[Finding]) -> Asking[list[Finding]]:
    """Look into the audit for what a lost limit was; what it does not tell cannot be repaired, and that is said."""
    if not any(finding.what in ("limit_missing", "info_missing") for finding in found):
        return found
    known: dict[str, tuple[str, str]] = {}
    for entry in (yield from audit(MOST_AUDITED)):
        verb, _, limit = entry.what.partition(" ")
        paused = f" paused_from={entry.before}" if verb == "pause" and entry.before else ""
        origin, at = entry.details.get("origin", "hand"), f"{entry.at.timestamp():.0f}"
        info = f"origin={origin} version=0 by={entry.by} at={at}{paused}"
        if verb in ("set", "pause", "resume", "delete"):
            known.setdefault(limit, (entry.after or "none", info))
    return [_with_capacity(finding, known) for finding in found]


def _with_capacity(finding: Finding, known: Mapping[str, tuple[str, str]]) -> Finding:
    capacity, info = known.get(finding.facts.get("name", ""), ("none", "origin=hand version=0 by=doctor"))
    if finding.what == "info_missing":
        return _changed(finding, finding.detail, True, {"info": info})
    if finding.what != "limit_missing":
        return finding
    if number({"capacity": capacity}, "capacity") is None or parse_info(info).origin is None:
        return _changed(finding, f"{finding.detail}, and the audit does not tell it: set it again", False, {})
    return _changed(finding, f"{finding.detail}; the audit says {capacity}", True, {"capacity": capacity})


def _changed(finding: Finding, detail: str, repair: bool, more: Mapping[str, str]) -> Finding:
    return Finding(finding.severity, finding.what, finding.key, detail, repair, {**finding.facts, **more})


def _named(keys: Iterable[str], pattern: str) -> set[str]:
    return {match[1] for key in keys if (match := re.fullmatch(pattern, key))}
