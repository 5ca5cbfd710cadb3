"""Crew: a worker by hand, for what the command line shows of runs. It does what a test says, when it says so."""

from __future__ import annotations

import json
from collections.abc import Mapping

from semaphores.scripts.run_commands import Enroll, Entry, Finish, Report, Start, Take, opaque
from tests.lua.harness import Calls, Session

ABOUT = {
    "description": "Loads\nthe day.",
    "executor": {
        "kind": "multiprocess",
        "max_concurrent": 3,
        "tag_concurrency_limits": [{"key": "database", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}],
    },
    "args": {"day": False, "dry": False},
    "ops": [
        {"name": "extract", "upstream": [], "pools": {"database": 2}, "tags": {"database": "postgres"}, "priority": 5},
        {"name": "transform", "upstream": ["extract"], "pools": {}, "tags": {}, "retries": 1},
    ],
}
JOB = {
    "queue": "default",
    "location": "growth",
    "priority": "2",
    "max_attempts": "3",
    "tags": json.dumps({"team": "growth"}),
    "pools": json.dumps({"database": 1}),
    "about": json.dumps(ABOUT),
}


class ByHand:
    """A worker with one seat."""

    def __init__(self, calls: Calls, name: str = "worker", *, code: str = "c1") -> None:
        self.calls, self.code = calls, code
        self.session: Session = calls.session(name)

    def enroll(self, *jobs: str, queues: str = "default", **fields: str) -> None:
        """Tell of jobs, each as JOB says but for `fields`."""
        told = [{"name": name, **JOB, **fields} for name in jobs]
        answer = self.session.send(Enroll(queues, self.code, "concurrency=4 cpu=12 memory=40", told)).answer
        assert answer == {"answer": "enrolled"}

    def start(self, run: str, queues: str = "default") -> None:
        """Take the run, which must be the next one, and start it."""
        reply = self.session.send(Take(queues, self.code, "somewhere:77:seat-1"))
        assert list(reply.granted) == [self.session.n], reply
        assert self._field(run, "status") == "STARTING"
        assert self.session.send(Start(run, self._token(run))).answer == {"answer": "started"}

    def tell(self, run: str, ops: Mapping[str, str], *entries: Entry) -> None:
        """Say what its ops are at: by op, and lines for its log."""
        self.session.send(Report(run, self._token(run), ops, entries))

    def finish(self, run: str, status: str = "SUCCESS", *, reason: str | None = None, results: bytes = b"") -> None:
        """End it."""
        packed = opaque(results) if results else None
        answer = self.session.send(Finish(run, self._token(run), status, reason, packed)).answer  # type: ignore[arg-type]
        assert answer["answer"] == "finished", answer

    def _token(self, run: str) -> str:
        return self._field(run, "token")

    def _field(self, run: str, name: str) -> str:
        return (self.calls.connection.hget(self.calls.key(f"run:{run}"), name) or b"0").decode()
