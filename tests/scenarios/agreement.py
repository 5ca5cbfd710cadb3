"""Agreement: what is stored about runs, read key by key, agrees with itself once nothing is on its way."""

from __future__ import annotations

import re
from dataclasses import dataclass

import redis

from semaphores.names import key_prefix

__all__ = ["disagreements", "wipe"]

INDEXED = r"(tag:(?!location=)\S+=\S*)=\d+"  # queued runs are found by these
IN_PROGRESS = ("STARTING", "STARTED", "CANCELING")


@dataclass
class _Stored:
    """Everything of a namespace, by key without prefix."""

    hashes: dict[str, dict[str, str]]
    sorted: dict[str, dict[str, float]]

    def of(self, prefix: str, *, hashes: bool) -> list[str]:
        """Return the rest of the names of keys that begin so."""
        names = self.hashes if hashes else self.sorted
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _keys(client: redis.Redis, namespace: str) -> list[str]:
    pattern = key_prefix(namespace).replace("{", "[{]") + "*"
    return [str(key) for key in client.scan_iter(pattern, 1000)]


def wipe(client: redis.Redis, namespace: str) -> None:
    """Delete a namespace."""
    keys = _keys(client, namespace)
    if keys:
        client.delete(*keys)


def _read(client: redis.Redis, namespace: str) -> _Stored:
    prefix = key_prefix(namespace)
    stored = _Stored({}, {})
    for key in _keys(client, namespace):
        name, kind = key.removeprefix(prefix), str(client.type(key))
        if kind == "hash":
            stored.hashes[name] = {str(field): str(value) for field, value in client.hgetall(key).items()}
        elif kind == "zset":
            stored.sorted[name] = {member: float(score) for member, score in _scores(client, key)}
    return stored


def _scores(client: redis.Redis, key: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = client.zrange(key, 0, -1, withscores=True)  # type: ignore[assignment]
    return found


def disagreements(client: redis.Redis, namespace: str) -> list[str]:
    """Return whatever does not agree in a namespace."""
    stored = _read(client, namespace)
    runs = {name: stored.hashes[f"run:{name}"] for name in stored.of("run:", hashes=True) if ":" not in name}
    return [
        *_statuses(stored, runs),
        *_leases(stored, runs),
        *_queued(stored, runs),
        *_places(stored),
        *(f"left to be worked off: {entry}" for entry in stored.sorted.get("undrained", {})),
        *(f"broken: {entry}: {why}" for entry, why in stored.hashes.get("broken", {}).items()),
    ]


def _statuses(stored: _Stored, runs: dict[str, dict[str, str]]) -> list[str]:
    """A run stands in the index of its status and in no other."""
    found: dict[str, list[str]] = {}
    for status in stored.of("runs:", hashes=False):
        for run in stored.sorted[f"runs:{status}"]:
            found.setdefault(run, []).append(status)
    wanted = {run: [fields.get("status", "?")] for run, fields in runs.items()}
    return [] if found == wanted else [f"indexes of status: {found}, runs: {wanted}"]


def _leases(stored: _Stored, runs: dict[str, dict[str, str]]) -> list[str]:
    """Slots are those of leases, and the leases of runs are those of the runs in progress."""
    wanted: dict[str, set[str]] = {}
    of_runs: dict[str, str] = {}
    for key, lines in stored.hashes.items():
        session = re.fullmatch(r"session:(.*):leases", key)
        for n, line in lines.items() if session else ():
            lease = f"{session[1] if session else ''}/{n}"
            for limit, slots in re.findall(r"(\S+)=(\d+)", line.partition(" token=")[0]):
                members = {lease, *(f"{lease}:{i}" for i in range(2, int(slots) + 1))}
                wanted.setdefault(limit, set()).update(members)
            if (run := re.search(r" run=(\S+)", line)) and " revoked=" not in line:
                of_runs[run[1]] = lease
    held = {limit: set(stored.sorted[f"slots:{limit}"]) for limit in stored.of("slots:", hashes=False)}
    busy = {run: fields.get("lease", "") for run, fields in runs.items() if fields.get("status") in IN_PROGRESS}
    problems = [] if held == wanted else [f"slots: {held}, leases: {wanted}"]
    return problems if busy == of_runs else [*problems, f"leases of runs: {of_runs}, runs in progress: {busy}"]


def _queued(stored: _Stored, runs: dict[str, dict[str, str]]) -> list[str]:
    """A queued run waits in its group, unless it waits for others to end, and is found by its tags."""
    problems, indexed, wanted = [], set(), set()
    grouped = {
        member.removeprefix("run:"): name.removesuffix(":requests")
        for name in stored.of("group:", hashes=False)
        for member in stored.sorted[f"group:{name}"]
        if member.startswith("run:")
    }
    for run, fields in runs.items():
        if fields.get("status") == "QUEUED":
            if not fields.get("after") and grouped.get(run) != fields.get("group"):
                problems.append(f"run {run} is queued in {grouped.get(run)}, not {fields.get('group')}")
            wanted |= {(limit, run) for limit in re.findall(INDEXED, fields["needs"])}
        elif run in grouped:
            problems.append(f"run {run} is {fields.get('status')} and waits in {grouped[run]}")
    for limit in stored.of("queued:", hashes=False):
        indexed |= {(limit, run) for run in stored.sorted[f"queued:{limit}"]}
    return problems if indexed == wanted else [*problems, f"queued by tag: {indexed}, runs: {wanted}"]


def _places(stored: _Stored) -> list[str]:
    """A group waits in one place, under its first request; the places in use are known, and the jobs of a queue."""
    wanted: dict[str, dict[str, float]] = {}
    for name in stored.of("group:", hashes=True):
        requests = stored.sorted.get(f"group:{name}:requests", {})
        place = stored.hashes[f"group:{name}"].get("place", "nowhere")
        wanted.setdefault(place, {})[name] = min(requests.values(), default=-1.0)
    found = {name: groups for name, groups in stored.sorted.items() if name.startswith(("waiters:", "line:"))}
    problems = [] if found == wanted else [f"places: {found}, groups: {wanted}"]
    if set(stored.sorted.get("places", {})) != set(wanted):
        problems.append(f"places in use: {set(stored.sorted.get('places', {}))}, of groups: {set(wanted)}")
    jobs: dict[str, dict[str, float]] = {}
    for place, groups in wanted.items():
        if line := re.fullmatch(r"line:([^:]+):([^:]+)", place):
            jobs.setdefault(line[1], {})[line[2]] = min(groups.values())
    told = {queue: stored.sorted[f"jobs:{queue}"] for queue in stored.of("jobs:", hashes=False)}
    return problems if told == jobs else [*problems, f"jobs of queues: {told}, lines: {jobs}"]
