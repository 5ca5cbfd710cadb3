"""Scene: a namespace in which everything is going on that a page can show. Made by calls to the real functions.

Its sessions send no beats: they live for the ttl of the namespace, a minute.
"""

from __future__ import annotations

import json
import time

from semaphores.names import pool_limit
from semaphores.runs import RunSpec
from semaphores.scripts.run_commands import Enroll, Finish, Report, Start, Take
from semaphores.session.process import user
from tests.lua.harness import Calls, Session, begin
from tests.servers import Server

__all__ = ["EVIL", "HOSTILE", "TTL", "Scene"]

TTL = 60.0
EVIL = "<script>document.title='owned'</script>"
HOSTILE = (EVIL, '"><img src=x onerror=alert(1)>', "it's {{ 7*7 }} & <b>bold</b>", "über/pool %41", "\u202egnp.exe")
JOBS = ("etl", "report", "train")


class Scene:
    """Who holds, who waits, which runs there are."""

    def __init__(self, server: Server, namespace: str) -> None:
        self.calls = Calls(server, namespace, ttl=TTL)
        self.alice = self._session("alice", "/srv/refresh.py", "db-host-1")
        self.bob = self._session("bob", "/srv/load.py", "app-host-2")
        self.worker = self._session("worker", "semaphores worker jobs", "worker-host-3")

    def _session(self, name: str, program: str, where: str) -> Session:
        session = Session(self.calls, name)
        answer = session.send(begin(program=program, where=where, pids="4711:1", ttl=TTL), init=True).answer
        assert answer["answer"] == "begun", answer
        return session

    def close(self) -> None:
        self.calls.close()

    def limits(self) -> None:
        """Limits of every kind, one of them paused, some with names that would be HTML."""
        named = [
            ("runs", 2, "what this machine can take"),
            ("pool:database", 2, "connections that the primary can take"),
            ("pool:api", 10, "the vendor's limit of calls"),
            ("pool:gpu", 4, ""),
            ("pool:*", 5, ""),
            ("tag:team", 20, ""),
            ("tag:team=*", 3, "each team on its own"),
            *((pool_limit(name), 3, f"about {name}") for name in HOSTILE),
        ]
        for limit, capacity, description in named:
            change: dict[str, str | int] = {"limit": limit, "kind": "set", "capacity": capacity}
            self.alice.change(change | ({"description": description} if description else {}))
        self.alice.change({"limit": "pool:gpu", "kind": "pause"})

    def holders(self) -> None:
        """Who holds and who waits for slots of pools."""
        for _ in range(2):
            self.alice.acquire("pool:database=1")
        self.alice.acquire("pool:api=3")
        self.alice.acquire(f"{pool_limit(EVIL)}=1")
        self.bob.acquire("pool:database=1", priority=5)
        self.bob.acquire("pool:api=1 pool:database=1")
        self.bob.acquire("pool:gpu=1")

    def enroll(self, *jobs: str) -> None:
        """The worker works on the queue `default`, and tells of its jobs."""
        told = [
            {
                "name": job,
                "queue": "default",
                "location": "jobs",
                "pools": json.dumps({"database": 1, "nolimit": 1} if job == "etl" else {}),
                "about": json.dumps({"args": {"day": True, "dry": False}, "description": f"The job {job}."}),
            }
            for job in jobs or JOBS
        ]
        assert self.worker.send(Enroll("default", "c1", "concurrency=4 cpu=37 memory=61", told)).answer == {
            "answer": "enrolled"
        }

    def submit(self, run: str, job: str = "etl", *, priority: int = 0, **tags: str) -> None:
        """Queue a run."""
        spec = RunSpec(job, tags=tags, priority=priority, location="jobs")
        answer = self.alice.send(spec.command(run, user())).answer
        assert answer["answer"] == "queued", answer

    def take(self, run: str) -> None:
        """Let the worker take a run, which must be the next one, and start it."""
        self.worker.send(Take("default", "c1", "worker-host-3:4711:seat-1"))
        assert self.worker.send(Start(run, self.token(run))).answer == {"answer": "started"}

    def finish(self, run: str, how: str, reason: str | None = None) -> None:
        answer = self.worker.send(Finish(run, self.token(run), how, reason)).answer  # type: ignore[arg-type]
        assert answer["answer"] == "finished", answer

    def report(self, run: str, op: str, kind: str, text: str = "") -> None:
        """Tell what an op is at, as a worker does."""
        entry = ("op", op, "kind", kind, "text", text)
        ops = {} if kind in ("OUT", "ERR", "INFO") else {op: _state(kind, text)}
        answer = self.worker.send(Report(run, self.token(run), ops or None, [entry])).answer
        assert answer == {"answer": "reported"}, answer

    def token(self, run: str) -> str:
        return self.calls.hash(f"run:{run}").get("token", "0")

    def runs(self, pause: float = 0.05) -> None:
        """Runs of every status; `0a0a0a0a0a0a0a0a` has a time line."""
        self.enroll()
        self.submit("done000000000001", "report", team="growth")
        self.take("done000000000001")
        self.finish("done000000000001", "SUCCESS")
        self.submit("bad0000000000001", "etl", team="ops")
        self.take("bad0000000000001")
        self.report("bad0000000000001", "load", "STARTED")
        self.report("bad0000000000001", "load", "ERR", "Traceback (most recent call last):")
        self.report("bad0000000000001", "load", "FAILURE", f"ValueError: bad row {EVIL}")
        self.finish("bad0000000000001", "FAILURE", f"op 'load' failed: ValueError: bad row {EVIL}")
        self.submit("0a0a0a0a0a0a0a0a", "etl", team="growth", day="2026-11-24")
        self.take("0a0a0a0a0a0a0a0a")
        self._ops("0a0a0a0a0a0a0a0a", pause)
        self.submit("bbbbbbbbbbbbbbbb", "train", priority=3, team="growth")
        self.take("bbbbbbbbbbbbbbbb")
        self.submit("cccccccccccccccc", "train", priority=1, team="ml", note=EVIL)
        self.submit("dddddddddddddddd", "report", team="growth")

    def _ops(self, run: str, pause: float) -> None:
        self.report(run, "extract", "STARTED")
        self.report(run, "lookup", "WAITING", "waits for pool:api")
        self.report(run, "extract", "OUT", "reading 14 files")
        time.sleep(4 * pause)
        self.report(run, "extract", "OUT", "<script>alert(1)</script> is only text")
        self.report(run, "extract", "SUCCESS")
        self.report(run, "lookup", "STARTED")
        self.report(run, "transform", "STARTED")
        time.sleep(2 * pause)
        self.report(run, "lookup", "SUCCESS")
        self.report(run, "transform", "SUCCESS")
        self.report(run, "load", "WAITING", "waits for pool:database")
        time.sleep(3 * pause)

    def play(self, pause: float = 0.05) -> Scene:
        """All of it."""
        self.limits()
        self.holders()
        self.runs(pause)
        return self


def _state(kind: str, text: str) -> str:
    limit = f" limit={text.removeprefix('waits for ')}" if kind == "WAITING" else ""
    return f"{kind} since={int(time.time() * 1000)} attempt=1{limit}"
