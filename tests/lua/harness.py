"""Harness: sends calls to the real functions by hand, for several sessions, and shows what they left in the server.

No client code in between but the composer, the commands and the codec. One `Calls` is one namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

import msgpack
import redis

from semaphores.names import key_prefix, wake_channel
from semaphores.scripts.commands import Acquire, Begin, Cancel, ChangeLimits, Command, End, Release, encode
from semaphores.scripts.compose import Library, compose, locate, sources
from tests.servers import Server

Content = str | dict[str, str] | list[tuple[str, float]] | list[str]
Plant = Callable[[str], str]

TTL = 10.0
VOLATILE = ("expiry", "highest", "mark", "answers", "aside")  # of a session: every call writes them


@dataclass(frozen=True)
class Reply:
    """One decoded reply of `call`."""

    epoch: int
    clock: int
    lost: bool
    grace: float | None
    more: bool
    granted: Mapping[int, str]  # token by N
    answers: Sequence[Mapping[str, object]]

    @property
    def answer(self) -> Mapping[str, object]:
        """The only answer of a call of one command."""
        assert len(self.answers) == 1, self
        return self.answers[0]


@dataclass
class Calls:
    """One namespace of a server, and the connection that calls it. `plants` change its library first."""

    server: Server
    namespace: str
    plants: tuple[Plant, ...] = ()
    ttl: float = TTL
    run_id: str = ""
    function: str = "call"
    connection: redis.Redis = field(init=False)
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        self.connection = redis.Redis(unix_socket_path=str(self.server.socket))
        self.library = planted(self.plants)
        self.load()
        self.run_id = self.run_id or str(self.connection.info("server")["run_id"])

    def close(self) -> None:
        self.connection.close()

    def load(self) -> None:
        """Load the library, unless it is there."""
        with suppress(redis.ResponseError):
            self.connection.function_load(self.library.text.decode())

    @property
    def prefix(self) -> str:
        return key_prefix(self.namespace)

    def key(self, name: str) -> str:
        return self.prefix + name

    def session(self, name: str, *, init: bool = True) -> Session:
        """Return a session that has begun; the first of a namespace makes it without a grace."""
        session = Session(self, name)
        answer = session.send(begin(), init=init).answers[0]
        assert answer["answer"] == "begun", answer
        return session

    def evaluate(self, header: Mapping[str, object], packed: Sequence[bytes]) -> Reply:
        """Send one call as it is; raises redis.ResponseError for an error reply."""
        return decoded(self.run(self.function, msgpack.packb(dict(header)), *packed))

    def run(self, function: str, *arguments: bytes) -> bytes:
        """Run a function of the library; raises redis.ResponseError, told by file and line."""
        words = self.library.words(function)
        try:
            found = self.connection.execute_command(*words, 2, self.key("meta"), self.key("never"), *arguments)
        except redis.ResponseError as error:
            raise type(error)(locate(str(error), self.library)) from error
        assert isinstance(found, bytes)
        return found

    def limit(self, caller: Session, **capacities: int) -> Reply:
        """Set capacities of pools: `limit(session, db=1)`."""
        return caller.change(
            *[{"limit": f"pool:{name}", "kind": "set", "capacity": n} for name, n in capacities.items()]
        )

    def dump(self) -> dict[str, Content]:
        """Everything the namespace stores, by key without prefix; not what every call changes."""
        found = {key: self._content(key) for key in sorted(self.keys()) if key != "meta"}
        for key, content in found.items():
            if key.startswith("session:") and key.count(":") == 1 and isinstance(content, dict):
                found[key] = {name: value for name, value in content.items() if name not in VOLATILE}
        return found

    def keys(self) -> list[str]:
        pattern = self.prefix.replace("{", "[{]") + "*"
        return [found.decode().removeprefix(self.prefix) for found in self.connection.scan_iter(pattern, 1000)]

    def _content(self, name: str) -> Content:
        key, text = self.key(name), lambda value: value.decode("utf-8", "replace")
        kind = self.connection.type(key).decode()
        if kind == "hash":
            return {text(k): text(v) for k, v in self.connection.hgetall(key).items()}
        if kind == "zset":
            found = self.connection.zrange(key, 0, -1, withscores=True)
            return [(text(member), 0.0 if name == "sessions" else score) for member, score in found]
        if kind == "set":
            return sorted(text(member) for member in self.connection.smembers(key))
        if kind == "stream":
            return [str(self.connection.xlen(key))]
        return text(self.connection.get(key) or b"")

    def hash(self, name: str) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.connection.hgetall(self.key(name)).items()}

    def usage(self, limit: str) -> int:
        return int(self.connection.zcard(self.key(f"slots:{limit}")))

    def listen(self, *sessions: str) -> redis.client.PubSub:
        """Subscribe to the wake channels of sessions; returns when the server has confirmed."""
        listener = self.connection.pubsub()
        listener.ssubscribe(*[wake_channel(self.prefix, session) for session in sessions])
        for _ in sessions:
            assert listener.get_message(timeout=5) is not None
        return listener


@dataclass
class Session:
    """A session as its process sees it: numbers commands, and says as mark the first number of each call."""

    calls: Calls
    name: str
    n: int = 0

    def send(
        self, *commands: Command, numbers: Sequence[int] | None = None, mark: int | None = None, **header: object
    ) -> Reply:
        """Send commands in one call under the next numbers, or under the given ones."""
        if numbers is None:
            numbers = range(self.n + 1, self.n + 1 + len(commands))
        packed = [encode(command, n) for command, n in zip(commands, numbers, strict=True)]
        self.n = max(self.n, *numbers, 0) if numbers else self.n
        return self.pack(packed, mark=min(numbers, default=self.n + 1) if mark is None else mark, **header)

    def pack(self, packed: Sequence[bytes], *, mark: object, **header: object) -> Reply:
        """Send commands as bytes, for what the dataclasses would never say."""
        fields: dict[str, object] = {"session": self.name, "mark": mark, "server": self.calls.run_id, "alive": True}
        fields |= {"ttl": self.calls.ttl, "longest": self.calls.ttl} | header
        return self.calls.evaluate(fields, packed)

    def raw(self, **fields: object) -> Mapping[str, object]:
        """Send one command of any fields under the next number; returns its answer."""
        self.n += 1
        return self.pack([msgpack.packb({"n": self.n} | fields)], mark=self.n).answer

    def acquire(self, needs: str, *, priority: int | None = None, once: bool | None = None) -> Mapping[str, object]:
        """Ask for slots; the answer has `n` besides."""
        answer = self.send(Acquire(needs, f"host:1:{self.name}", priority, try_=once)).answer
        return {**answer, "n": self.n}

    def release(self, held: Mapping[str, object]) -> Reply:
        return self.send(Release(number(held), str(held["token"])))

    def cancel(self, n: int) -> Reply:
        return self.send(Cancel(n))

    def change(self, *changes: Mapping[str, str | int], expect: int | None = None) -> Reply:
        return self.send(ChangeLimits(changes, "hand", "me", expect))

    def end(self) -> Reply:
        return self.send(End())

    def ask(self) -> Reply:
        """Call without commands."""
        return self.pack([], mark=self.n + 1)


def begin(**changed: object) -> Begin:
    """Return a `begin` as a process of host `h` sends it."""
    return replace(Begin(host="h", where="somewhere", program="test", pids="1:1", ttl=TTL), **changed)  # type: ignore[arg-type]


def number(answer: Mapping[str, object]) -> int:
    n = answer["n"]
    assert isinstance(n, int)
    return n


@cache
def planted(plants: tuple[Plant, ...]) -> Library:
    """Return the library with its files changed; a plant that changes nothing is a mistake of the test."""
    files = sources()
    for plant in plants:
        changed = {name: plant(text) for name, text in files.items()}
        if changed == files:  # no AssertionError: that is what a bug is noticed by
            raise ValueError("a plant matched nothing")
        files = changed
    return compose(files)


def decoded(packed: bytes) -> Reply:
    """Return a reply of `call` with names."""
    fields = msgpack.unpackb(packed)
    return Reply(
        fields["epoch"],
        fields["clock"],
        fields.get("lost", False),
        fields.get("grace"),
        fields.get("more", False),
        {grant["n"]: grant["token"] for grant in fields.get("granted", ())},
        fields.get("answers", ()),
    )
