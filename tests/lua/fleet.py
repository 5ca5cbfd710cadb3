"""Fleet: a worker and a submitter for the script tests of runs, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from semaphores.scripts.run_commands import Enroll, Finish, Start, Submit, Take
from tests.lua.harness import Calls, Reply, Session


def enroll(worker: Session, *jobs: str, queues: str = "default", code: str = "c1") -> None:
    """Let a session work on queues, with the code of some jobs."""
    told = [{"name": name, "queue": "default"} for name in jobs]
    answer = worker.send(Enroll(queues, code, "concurrency=1", told)).answer
    assert answer == {"answer": "enrolled"}


def submit(
    caller: Session, run: str, job: str = "etl", *, queue: str = "default", tags: Sequence[str] = (), **more: object
) -> Mapping[str, object]:
    """Queue a run; `tags` are `KEY=VALUE`, in the order of their names."""
    limits = sorted({f"tag:{tag.partition('=')[0]}" for tag in (f"job={job}", *tags)} | {f"tag:job={job}"})
    limits = sorted({*limits, *(f"tag:{tag}" for tag in tags), "runs"})
    needs = " ".join(f"{limit}=1" for limit in limits)
    most = more.pop("max_attempts", 3)
    return caller.send(Submit(run, job, queue, "here", needs, most, "me", **more)).answer  # type: ignore[arg-type]


def take(worker: Session, *, queues: str = "default", code: str = "c1") -> Reply:
    """Ask for a run on a free seat."""
    return worker.send(Take(queues, code, f"host:1:{worker.name}"))


def status(calls: Calls, run: str) -> str:
    """The status of a run as stored, proven to be the one of the index that it stands in."""
    told = calls.hash(f"run:{run}")["status"]
    found = [key.removeprefix("runs:") for key in stored(calls) if key.startswith("runs:")]
    indexed = [name for name in found if calls.connection.zscore(calls.key(f"runs:{name}"), run) is not None]
    assert indexed == [told], (indexed, told)
    return told


def stored(calls: Calls) -> list[str]:
    """The names of all keys."""
    return list(calls.keys())


def start(worker: Session, run: str, **more: object) -> Mapping[str, object]:
    return worker.send(Start(run, token(worker.calls, run), **more)).answer  # type: ignore[arg-type]


def finish(worker: Session, run: str, how: str = "SUCCESS", **more: object) -> Mapping[str, object]:
    return worker.send(Finish(run, token(worker.calls, run), how, **more)).answer  # type: ignore[arg-type]


def token(calls: Calls, run: str) -> str:
    return calls.hash(f"run:{run}").get("token", "0")
