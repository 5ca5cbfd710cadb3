"""Doctor on random histories: it finds nothing in any of them, and whatever is lost afterwards it finds and mends."""

from __future__ import annotations

from random import Random

import pytest

from semaphores.scripts.commands import Acquire, Cancel, Command, Release, Revoke
from tests.lua.harness import Calls, Session
from tests.promises.reading import Reading
from tests.promises.town import lose

LIMITS = ("pool:api", "pool:db", "pool:free", "pool:q", "tag:team", "tag:team=x")
# What a session says of itself for people, or what the next call writes anew.
UNPROVEN = {"where", "program", "pids", "mark", "highest", "answers", "started", "aside", "moves", "host"}


class History:
    """Random commands of some sessions. The same seed gives the same commands."""

    def __init__(self, calls: Calls, seed: int) -> None:
        self.calls, self.random = calls, Random(seed)
        self.sessions = {name: calls.session(name) for name in "abcd"}
        self.listener = calls.listen("a", "b")  # the others stand aside when their turn comes
        self.begun = 0

    def step(self) -> None:
        session = self.random.choice(list(self.sessions.values()))
        command = self.random.choices(
            (self.acquire, self.give_back, self.revoke, self.limit, self.end), (9, 6, 1, 4, 1)
        )
        command[0](session)

    def acquire(self, session: Session) -> None:
        limits = sorted(set(self.random.choices(LIMITS, k=self.random.randint(1, 3))))
        needs = " ".join(f"{limit}={self.random.randint(1, 3)}" for limit in limits)
        session.send(Acquire(needs, "h:1:t", self.random.choice((None, 3, -2))))

    def give_back(self, session: Session) -> None:
        stored = [(n, line, Release) for n, line in self.calls.hash(f"session:{session.name}:leases").items()]
        stored += [(n, line, Cancel) for n, line in self.calls.hash(f"session:{session.name}:requests").items()]
        if stored:
            n, line, kind = self.random.choice(sorted(stored, key=lambda each: int(each[0])))
            command: Command = Cancel(int(n)) if kind is Cancel else Release(int(n), token(line))
            session.send(command)

    def revoke(self, session: Session) -> None:
        for n in sorted(self.calls.hash("session:a:leases"))[:1]:
            session.send(Revoke(f"a/{n}", "me", self.random.choice((None, True))))

    def limit(self, session: Session) -> None:
        limit = self.random.choice((*LIMITS, "pool:*", "tag:team=*"))
        kind = self.random.choice(("set", "set", "set", "pause", "resume", "delete"))
        change: dict[str, str | int] = {"limit": limit, "kind": kind}
        if kind == "set":
            change["capacity"] = self.random.choice((-1, 0, 1, 2, 3, 5))
        session.change(change)

    def end(self, session: Session) -> None:
        session.end()
        del self.sessions[session.name]
        self.begun += 1
        name = f"later{self.begun}"
        self.sessions[name] = self.calls.session(name)


def token(line: str) -> str:
    return line.partition("token=")[2].split()[0]


@pytest.mark.parametrize("seed", range(8))
def test_no_history_leaves_anything_to_find(calls: Calls, read: Reading, seed: int) -> None:
    history = History(calls, seed)
    for step in range(60):
        history.step()
        assert read.examine() == (), f"after step {step}"
    history.listener.close()


@pytest.mark.parametrize("seed", range(24))
def test_whatever_is_lost_is_found_and_mended(calls: Calls, read: Reading, seed: int) -> None:
    history = History(calls, seed)
    for _ in range(40):
        history.step()
    lost = lose_something(calls, history.random)
    assert read.examine(), f"the loss of {lost} was not found"
    left = [finding for finding in read.mend(4) if finding.what != "limit_missing"]  # only the audit knew it
    assert left == [], f"after the loss of {lost}: {[str(finding) for finding in left]}"
    give_all_back(history)
    left = [finding for finding in read.examine() if finding.what != "limit_missing"]
    assert left == [], f"after all was given back: {[str(finding) for finding in left]}"
    history.listener.close()


def lose_something(calls: Calls, random: Random) -> str:
    """Delete a key, or one entry of one, of those that must agree with another."""
    key = random.choice(sorted(set(calls.keys()) - {"undrained", "timers"}))  # both keep entries that are over
    kind = calls.connection.type(calls.key(key)).decode()
    content = calls.dump().get(key)
    if key in ("meta", "audit") or random.random() < 0.4 or not isinstance(content, (dict, list)):
        lose(calls, key)
        return key
    if isinstance(content, dict):
        names = sorted(set(content) - UNPROVEN)
        if key.startswith("session:") and key.count(":") == 1:
            names = ["expiry"]
        calls.connection.hdel(calls.key(key), entry := random.choice(names))
        return f"{entry} of {key}"
    entry = str(random.choice([each[0] if isinstance(each, tuple) else each for each in content]))
    (calls.connection.zrem if kind == "zset" else calls.connection.srem)(calls.key(key), entry)
    return f"{entry} of {key}"


def give_all_back(history: History) -> None:
    """Everybody gives back what it holds until nobody holds or waits; fails if someone waits for ever."""
    calls = history.calls
    if "grace" in calls.hash("meta"):
        calls.connection.hset(calls.key("meta"), "grace", calls.hash("meta")["clock"])
    caller = calls.session("last")
    for limit, capacity in calls.hash("limits").items():
        if capacity == "0" or not limit.startswith("pool:"):
            caller.change({"limit": limit, "kind": "delete"})
    for _ in range(200):
        busy = False
        for name, session in [*history.sessions.items(), ("last", caller)]:
            session.ask()
            for n, line in calls.hash(f"session:{name}:leases").items():
                busy = True
                session.send(Release(int(n), token(line)))
        if not busy and not any(key.startswith("waiters:") for key in calls.keys()):  # noqa: SIM118 (a method of Calls)
            return
    raise AssertionError(f"someone waits for ever: {calls.dump()}")
