"""Repair: turn findings into repairs, a bounded number a call. The server looks once more at each before it mends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from semaphores.doctor.finding import KINDS, Finding, Mended
from semaphores.scripts.asking import Asking, chunks, number, rows, text

__all__ = ["repair"]

PAGE = 200  # items in one call

# What others are built on comes first; waiters go on last, when everything they look at is right.
_ORDER = (
    *("type", "meta", "limit", "audit", "session", "worker", "worker_index", "lease", "run", "run_lease", "lease_run"),
    *("orphan", "request", "member", "group", "place", "run_waiting", "run_index", "run_queued", "jobs_of", "code"),
    *("take", "take_index", "line", "job", "broken", "drain"),
)

# What an item is made of where a name is not enough: its words, and which facts of a finding they are.
_MADE_OF: Mapping[str, Mapping[str, str]] = {
    "type": {"key": "key", "wanted": "wanted"},
    "limit": {"limit": "name", "capacity": "capacity", "info": "info"},
    "member": {"member": "name", "group": "group"},
    "place": {"place": "name", "group": "group"},
    "run_queued": {"run": "name", "limit": "limit"},
    "worker_index": {"session": "name", "place": "place"},
    "take_index": {"take": "name", "place": "place"},
}


def repair(findings: Sequence[Finding], *, ttl: float = 10.0) -> Asking[Mended]:
    """Mend what can be mended, and mark every place so that waiters go on with the next call of any client.

    `ttl` (seconds) is used only where the namespace's own was lost. Its questions are for the function `repair`.
    """
    done, failed = 0, []
    for name in _ORDER:
        mine = [finding for finding in findings if finding.repair and KINDS[finding.what].repair == name]
        if not mine and name != "drain":
            continue
        done += len(mine)
        for items in chunks(_items(name, mine, ttl), PAGE):
            reply = yield {"repair": name, "items": items}
            for row in rows(reply, "failed"):
                item = items[int(number(row, "item") or 1) - 1]
                failed.append(f"{name} {item}: {text(row, 'reason')}")
    return Mended(done, tuple(failed), tuple(finding for finding in findings if not finding.repair))


def _items(name: str, findings: Sequence[Finding], ttl: float) -> list[object]:
    facts = [finding.facts for finding in findings]
    if name == "meta":
        return [{"ttl": ttl, **_picked(facts[0], ("sequence", "token", "config", "expiry"))}]
    if name in ("audit", "drain"):
        return ["all"]
    if name == "orphan":
        return _orphans(facts)
    if name in _MADE_OF:
        made_of = _MADE_OF[name].items()
        return [{word: fact[where] for word, where in made_of if where in fact} for fact in facts]
    return list(dict.fromkeys(fact["name"] for fact in facts))


def _orphans(facts: Iterable[Mapping[str, str]]) -> list[object]:
    """Slots by their lease, its limits in the order in which Lua wants them."""
    by_lease: dict[str, list[list[str]]] = {}
    for fact in facts:
        by_lease.setdefault(fact["name"], []).append([fact["limit"], fact["member"]])
    return [
        {"lease": lease, "slots": sorted(slots, key=lambda slot: slot[0].encode("utf-8", "surrogateescape"))}
        for lease, slots in by_lease.items()
    ]


def _picked(facts: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: facts[name] for name in names if name in facts}
