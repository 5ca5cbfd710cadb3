"""Admission as the design states it, small enough to read: what the scripts must do with acquires that wait.

Pure: no server, no clock. Mirrors rules and their order, not code: groups are tuples, places are sets.
Workers and queued runs are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Needs = tuple[tuple[str, int], ...]
Member = tuple[str, int]  # session, N
UNLIMITED = float("inf")
MOST_TRIES = 64


@dataclass(frozen=True)
class Request:
    needs: Needs
    order: int
    group: Needs


@dataclass
class Group:
    line: dict[Member, int] = field(default_factory=dict)
    place: str | None = None
    moves: int = 0


class Admission:
    """Who holds, who waits where, and which places may have room."""

    def __init__(self, most_moves: int = 8) -> None:
        self.most_moves = most_moves  # between limits, until the starvation guard acts
        self.capacity: dict[str, int] = {}
        self.paused: dict[str, int | None] = {}
        self.leases: dict[str, dict[int, Needs]] = {}
        self.requests: dict[str, dict[int, Request]] = {}
        self.aside: dict[str, dict[int, Request]] = {}
        self.alive: set[str] = set()
        self.listening: set[str] = set()
        self.groups: dict[Needs, Group] = {}
        self.places: dict[str, set[Needs]] = {}
        self.undrained: list[str] = []
        self.reserving: Needs | None = None
        self.resting = False  # a reservation ran out, or one runs: none begins
        self.sequence = 0
        self.caller = ""
        self.granted: set[Member] = set()  # in this call
        self.failed: set[Member] = set()

    # facts
    def of(self, limit: str) -> float:
        own = self._own(limit)
        if limit.startswith("pool:"):
            default = self._own("pool:*")
            return own if own is not None else default if default is not None else UNLIMITED
        default = self._own(limit.partition("=")[0] + "=*")
        return min(UNLIMITED if own is None else own, UNLIMITED if default is None else default)

    def _own(self, name: str) -> float | None:
        found = self.capacity.get(name)
        return UNLIMITED if found == -1 else found

    def used(self, limit: str) -> int:
        every = (needs for held in self.leases.values() for needs in held.values())
        return sum(dict(needs).get(limit, 0) for needs in every)

    def limited(self, needs: Needs) -> Needs:
        return tuple(need for need in needs if self.of(need[0]) < UNLIMITED)

    def too_heavy(self, needs: Needs) -> bool:
        return any(0 < self.of(limit) < slots for limit, slots in needs)

    def first(self, key: Needs) -> Member:
        line = self.groups[key].line
        return min(line, key=lambda member: line[member])

    def order(self, key: Needs) -> int:
        return -1 if key == self.reserving else min(self.groups[key].line.values())

    def head(self, place: str) -> Needs | None:
        return min(self.places.get(place, ()), key=self.order, default=None)

    def full(self, key: Needs | None, limit: str, slots: int) -> bool:
        """Whether there is no room, less the room that is kept for the reserving group."""
        kept = 0 if self.reserving in (None, key) else dict(self.reserving or ()).get(limit, 0)
        return self.of(limit) - self.used(limit) - kept < slots

    def blocker(self, key: Needs | None, needs: Needs, order: int) -> str | None:
        """Return the first limit without room, or where somebody with precedence waits."""
        order = -1 if key is not None and key == self.reserving else order
        for limit, slots in needs:
            if self.of(limit) == UNLIMITED:
                continue
            if self.full(key, limit, slots):
                return limit
            ahead = self.head(waiters(limit))
            if ahead is not None and ahead != key and self.order(ahead) < order:
                return limit
        return None

    # places and groups
    def mark(self, place: str) -> None:
        if self.places.get(place) and place not in self.undrained:
            self.undrained.append(place)

    def mark_all(self, prefix: str) -> None:
        if self.places and f"walk {prefix}" not in self.undrained:
            self.undrained.append(f"walk {prefix}")

    def put(self, key: Needs, place: str | None) -> None:
        group = self.groups[key]
        if group.place is not None:
            self.places[group.place].discard(key)
            if not self.places[group.place]:
                del self.places[group.place]
        group.place = place
        if place is not None:
            self.places.setdefault(place, set()).add(key)

    def park(self, key: Needs, place: str) -> bool:
        group = self.groups[key]
        before = group.place
        if before is None or before == place:
            return False
        self.put(key, place)
        self.mark(before)
        group.moves += 1
        if group.moves >= self.most_moves and self.reserving is None and not self.resting and self.may_reserve(key):
            self.reserving, self.resting = key, True
            self.mark_limits(key)
        return True

    def may_reserve(self, key: Needs) -> bool:
        return all(self.of(limit) >= slots for limit, slots in key)

    def mark_limits(self, key: Needs) -> None:
        for limit, _ in key:
            self.mark(waiters(limit))

    def end_reservation(self, *, rest: bool = False) -> None:
        if self.reserving is not None:
            key, self.reserving, self.resting = self.reserving, None, rest
            self.groups[key].moves = 0
            self.mark_limits(key)

    def file(self, member: Member, needs: Needs, order: int, place: str) -> None:
        key = self.limited(needs)
        known = key in self.groups
        group = self.groups.setdefault(key, Group())
        first = self.first(key) if known else None
        group.line[member] = order
        self.requests.setdefault(member[0], {})[member[1]] = Request(needs, order, key)
        if not known:
            self.put(key, place)
        elif first != self.first(key) and group.place is not None:
            self.mark(group.place)

    def take_out(self, member: Member) -> Request:
        request = self.requests[member[0]].pop(member[1])
        group = self.groups[request.group]
        del group.line[member]
        place = group.place
        if not group.line:
            if self.reserving == request.group:
                self.end_reservation()
            self.put(request.group, None)
            del self.groups[request.group]
        if place is not None:
            self.mark(place)
        return request

    # working off
    def attempt(self, key: Needs) -> bool:
        """Try a group's first request: True when it moved, was granted, failed, or left."""
        member = self.first(key)
        request = self.requests[member[0]][member[1]]
        if member[0] not in self.alive:
            self.take_out(member)
            return True
        if any(need not in key for need in self.limited(request.needs)):
            place = waiters(self.blocker(None, request.needs, request.order) or request.needs[0][0])
            self.take_out(member)
            self.file(member, request.needs, request.order, place)
            self.mark(place)
            return True
        if self.too_heavy(request.needs):
            self.take_out(member)
            self.failed.add(member)
            return True
        blocked = self.blocker(key, request.needs, request.order)
        if blocked is not None:
            return self.park(key, waiters(blocked))
        if member[0] == self.caller or member[0] in self.listening:
            self.leases.setdefault(member[0], {})[member[1]] = request.needs
            self.granted.add(member)
        else:
            self.aside.setdefault(member[0], {})[member[1]] = request
        self.groups[key].moves = 0
        self.take_out(member)
        if self.reserving == key:
            self.end_reservation()
        return True

    def drain(self, commands: int) -> None:
        tries = MOST_TRIES + commands
        while self.undrained and tries:
            tries -= 1
            place = self.undrained[0]
            if place.startswith("walk "):
                self.undrained.pop(0)
                prefix = place.removeprefix("walk ")
                for found in sorted(name for name in self.places if name.startswith(prefix)):
                    self.mark(found)
                continue
            limit = place.partition(":")[2]
            key = None if self.of(limit) <= self.used(limit) else self.head(place)
            if key is None or not self.attempt(key):
                self.undrained.pop(0)

    # commands
    def start(self, session: str) -> None:
        """Begin a call: a reservation that its limits no longer allow ends; what stood aside is back."""
        self.caller = session
        self.granted, self.failed = set(), set()
        if self.reserving is not None and not self.may_reserve(self.reserving):
            self.end_reservation()
        for n, request in self.aside.pop(session, {}).items():
            place = waiters(self.blocker(None, request.needs, request.order) or request.needs[0][0])
            self.file((session, n), request.needs, request.order, place)
            self.mark(place)

    def acquire(self, n: int, needs: Needs, priority: int, *, once: bool) -> str:
        order = (4095 - priority) * 2**40 + self.sequence + 1
        if self.too_heavy(needs):
            return "heavy"
        blocked = self.blocker(None, needs, order)
        if blocked is None:
            self.leases.setdefault(self.caller, {})[n] = needs
            self.granted.add((self.caller, n))
            return "granted"
        if once:
            return "full"
        self.sequence += 1
        self.file((self.caller, n), needs, order, waiters(blocked))
        return "waits"

    def release(self, session: str, n: int) -> str:
        needs = self.leases.get(session, {}).pop(n, None)
        if needs is None:
            return "gone"
        self.mark_limits(needs)
        return "released"

    def cancel(self, n: int) -> str:
        if self.release(self.caller, n) == "gone" and n in self.requests.get(self.caller, {}):
            self.take_out((self.caller, n))
        return "cancelled"

    def bury(self, session: str) -> None:
        """End a session: all it had comes back."""
        self.alive.discard(session)
        for n in list(self.leases.get(session, {})):
            self.release(session, n)
        for n in list(self.requests.get(session, {})):
            self.take_out((session, n))
        for had in (self.leases, self.requests, self.aside):
            had.pop(session, None)

    def set(self, limit: str, capacity: int) -> str:
        if limit in self.paused:
            self.paused[limit] = capacity
        else:
            self.capacity[limit] = capacity
        return self._changed(limit)

    def delete(self, limit: str) -> str:
        if limit not in self.capacity:
            return "missing"
        del self.capacity[limit]
        self.paused.pop(limit, None)
        return self._changed(limit)

    def pause(self, limit: str) -> str:
        self.paused.setdefault(limit, self.capacity.get(limit))
        self.capacity[limit] = 0
        return self._changed(limit)

    def resume(self, limit: str) -> str:
        if limit not in self.paused:
            return "unpaused"
        before = self.paused.pop(limit)
        if before is None:
            del self.capacity[limit]
        else:
            self.capacity[limit] = before
        return self._changed(limit)

    def _changed(self, limit: str) -> str:
        if limit.endswith("*"):
            self.mark_all(waiters(limit[:-1]))
        else:
            self.mark(waiters(limit))
        return "changed"


def waiters(limit: str) -> str:
    return "waiters:" + limit


def words(needs: Iterable[tuple[str, int]]) -> str:
    return " ".join(f"{limit}={slots}" for limit, slots in needs)


def numbers(had: Mapping[str, Mapping[int, object]]) -> dict[str, set[int]]:
    """Return N by session, without sessions that have none."""
    return {session: set(some) for session, some in had.items() if some}
