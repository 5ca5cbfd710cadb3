"""Doctor, of runs and workers: nothing is found in what is right; every lost key is found, mended, and all goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from semaphores.scripts.commands import ChangeLimits, Release
from semaphores.scripts.run_commands import CancelRun
from tests.lua.fleet import enroll, finish, start, status, submit, take
from tests.lua.harness import Calls
from tests.promises.reading import Reading
from tests.promises.town import lose, settle
from tests.servers import Server


class Fleet:
    """A populated namespace: runs in every status, a replacement, a job nobody has, free seats on two queues."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.alice, self.worker, self.other = (calls.session(name) for name in ("alice", "worker", "other"))
        self.listener = calls.listen("worker", "other")
        limits = [
            {"limit": "tag:team=x", "kind": "set", "capacity": 1},
            {"limit": "runs", "kind": "set", "capacity": 9},
        ]
        self.alice.send(ChangeLimits(limits, "hand", "me", settings={"max_runtime": "1000"}))
        enroll(self.worker, "etl", "load")
        for number, run in enumerate(("done", "failed", "working", "stopping", "starting", "filled")):
            submit(self.alice, run, tags=["team=x"] if run == "filled" else (), max_runtime=60)
            take(self.worker)
            if number < 4:
                start(self.worker, run)
        finish(self.worker, "done", reason="", ops={"a": "SUCCESS since=1 attempt=1 text="}, entries=[["kind", "OUT"]])
        finish(self.worker, "failed", "FAILURE", reason="no")
        self.alice.send(CancelRun("stopping", "me"))
        submit(self.alice, "blocked", tags=["team=x"])
        submit(self.alice, "urgent", tags=["team=x"], priority=5)
        submit(self.alice, "foreign", "report")
        submit(self.alice, "lonely", queue="gpu")
        submit(self.alice, "old", "load", tags=["k=1"])
        take(self.worker)
        submit(self.alice, "new", "load", tags=["k=1"], conflict="replace", conflict_limit="tag:k=1")
        enroll(self.other, "etl", queues="default,batch", code="c2")
        take(self.other, queues="default,batch", code="c2")
        take(self.worker)

    def goes_on(self, read: Reading) -> None:
        """Who works finishes, and everything that a worker can have gets done."""
        calls = self.calls
        if "grace" in calls.hash("meta"):
            calls.connection.hset(calls.key("meta"), "grace", calls.hash("meta")["clock"])
        settle(self.alice)
        self.alice.send(ChangeLimits([{"limit": "tag:team=x", "kind": "delete"}], "hand", "me"))
        enroll(self.worker, "etl", "load", "report", queues="default,gpu,batch")
        for _ in range(40):
            self.worker.ask()
            self.other.ask()
            for session in (self.worker, self.other):
                for n, line in calls.hash(f"session:{session.name}:leases").items():
                    if " revoked=" in line:
                        session.send(Release(int(n), line.partition(" token=")[2].split()[0]))
                    elif " run=" in line:
                        run = line.partition(" run=")[2].split()[0]
                        finish(session, run)
                        session.ask()
            take(self.worker, queues="default,gpu,batch")
            if not any(key.startswith(("line", "waiters", "group", "slots")) for key in calls.keys()):  # noqa: SIM118
                break
        left = {key for key in calls.keys() if key.startswith(("group", "line", "jobs:", "queued", "slots"))}  # noqa: SIM118
        assert left == set()
        assert read.examine() == ()


@pytest.fixture
def fleet(calls: Calls) -> Iterator[Fleet]:
    made = Fleet(calls)
    yield made
    made.listener.close()


RUNS = (
    "done",
    "failed",
    "working",
    "stopping",
    "starting",
    "filled",
    "blocked",
    "urgent",
    "foreign",
    "lonely",
    "old",
    "new",
)
KEYS = sorted(
    {
        *(f"run:{run}" for run in RUNS),
        *(f"runs:{name}" for name in ("QUEUED", "STARTING", "STARTED", "CANCELING", "SUCCESS", "FAILURE")),
        *("queued:tag:job=etl", "queued:tag:job=load", "queued:tag:job=report", "queued:tag:k=1", "queued:tag:team=x"),
        *("line:gpu:etl", "line:default:report", "jobs:default", "jobs:gpu", "waiters:tag:team=x"),
        *("takes:default:c1", "takes:default:c2", "takes:batch:c2", "workers", "jobs", "job:etl", "job:load"),
        *("workers:default:c1", "workers:default:c2", "workers:batch:c2", "codes:default", "codes:batch"),
        *("code:default:c1", "code:default:c2", "code:batch:c2", "timers", "places", "meta", "sessions", "host:h"),
        *("session:worker", "session:worker:leases", "session:worker:requests", "session:other"),
        *("session:other:requests", "session:alice", "slots:runs", "slots:tag:job=etl", "slots:tag:k", "slots:tag:k=1"),
        *(
            "slots:tag:job",
            "slots:tag:job=load",
            "slots:tag:team",
            "slots:tag:team=x",
            "limits:info",
            "audit",
            "limits",
        ),
    }
)
NOT_TOLD = {"settings", "run:done:ops", "run:done:log"}  # nothing else says what is in them


def test_a_fleet_at_work_has_no_finding(fleet: Fleet, read: Reading) -> None:
    assert read.examine() == ()
    fleet.goes_on(read)


def test_the_list_of_keys_is_all_there_is(fleet: Fleet, calls: Calls) -> None:
    kept = {key for key in calls.keys() if not key.startswith("group:")}  # noqa: SIM118 (a method of Calls)
    assert kept - NOT_TOLD == set(KEYS), "a new key must be in the list above, and doctor must find its loss"


@pytest.mark.parametrize("key", KEYS)
def test_a_lost_key_is_found_and_mended(fleet: Fleet, read: Reading, calls: Calls, key: str) -> None:
    lose(calls, key)
    assert read.examine(), f"the loss of {key} was not found"
    left = read.mend(4)
    assert left == (), f"after the loss of {key}: {[str(finding) for finding in left]}"
    fleet.goes_on(read)


def test_every_lost_group_key_is_found_and_mended(server: Server, namespace: str) -> None:
    number = 0
    while True:
        calls = Calls(server, f"{namespace}-{number}")
        fleet, read = Fleet(calls), Reading(calls)
        keys = sorted(key for key in calls.keys() if key.startswith("group:"))  # noqa: SIM118 (a method of Calls)
        if number < len(keys):
            lose(calls, keys[number])
            assert read.examine(), f"the loss of {keys[number]} was not found"
            assert read.mend(4) == ()
            fleet.goes_on(read)
        fleet.listener.close()
        calls.close()
        number += 1
        if number >= len(keys):
            break
    assert number == 6, "three groups of two keys each wait here"


@pytest.mark.parametrize("run", ["blocked", "foreign", "working", "stopping", "starting", "new"])
@pytest.mark.parametrize("field", ["status", "needs", "queue", "job", "order", "group", "lease", "token", "after"])
def test_a_lost_field_of_a_run_is_found_and_mended(
    fleet: Fleet, read: Reading, calls: Calls, run: str, field: str
) -> None:
    before = calls.hash(f"run:{run}").get(field)
    calls.connection.hdel(calls.key(f"run:{run}"), field)
    if before:
        assert read.examine(), f"the loss of {field} was not found"
    assert read.mend(4) == ()
    if field not in ("token", "lease") and calls.hash(f"run:{run}")["status"] != "FAILURE":
        assert (calls.hash(f"run:{run}").get(field) or "") == (before or "") or field in ("order", "status", "after")
    fleet.goes_on(read)


def test_a_run_whose_worker_is_dead_goes_back_to_its_queue(fleet: Fleet, read: Reading, calls: Calls) -> None:
    calls.connection.hset(calls.key("run:working"), "lease", "nobody/7")
    assert {finding.what for finding in read.examine()} == {"run_leaseless", "lease_runless"}
    assert read.mend(4) == ()
    assert status(calls, "working") == "QUEUED"
    fleet.goes_on(read)


def test_a_seat_that_could_have_a_run_and_is_not_tried_is_found(calls: Calls, read: Reading) -> None:
    worker = calls.session("w")
    enroll(worker, "etl")
    submit(worker, "r1", "report")
    take(worker)
    calls.connection.sadd(calls.key("code:default:c1"), "report")  # by hand: nobody is told
    assert [finding.what for finding in read.examine()] == ["stalled"]
    assert read.mend() == ()
    assert list(worker.ask().granted) == [worker.n]
