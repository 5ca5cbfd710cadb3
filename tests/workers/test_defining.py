"""What an op and a job may be is checked when they are defined, and each refusal is one line that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from workers import Definitions, Job, Op, in_process, job, limit_by_load, multiprocess, op
from workers.errors import ArgumentError, DefinitionError


def one() -> None:
    """The first."""


def two(one: object, day: str, zone: str = "UTC") -> None: ...


def job_of(*ops: Any, **more: Any) -> Job:
    return job(ops=ops, **more)(one)


BAD_OPS: list[tuple[dict[str, Any], str]] = [
    ({"name": "a b"}, "op 'a b': op 'a b' cannot be used: it must be 1 to 64 letters"),
    ({"tags": {"a": 1}}, "tag value 1 cannot be used: it must be text"),
    ({"tags": {"": "x"}}, "tag key '' cannot be used"),
    ({"tags": ["a"]}, r"tags cannot be \['a'\]: they must be a mapping"),
    ({"pool": "a", "slots": 0}, "slots cannot be 0: it must be a whole number from 1 to 1000"),
    ({"slots": 2}, "slots= needs the pool they are of"),
    ({"pool": "a", "pools": {"b": 1}}, "not both"),
    ({"pools": {"a": True}}, "slots cannot be True"),
    ({"pools": "a"}, "pools cannot be 'a': it must be a mapping"),
    ({"retries": -1}, "retries cannot be -1: it must be a whole number from 0 to 1,000"),
    ({"retries": 1.5}, "retries cannot be 1.5"),
    ({"retry_delay": -1}, "retry_delay cannot be -1: it must be seconds from 0"),
    ({"retry_delay": float("nan")}, "retry_delay cannot be nan"),
    ({"priority": "high"}, "priority cannot be 'high'"),
]


@pytest.mark.parametrize(("more", "line"), BAD_OPS)
def test_what_an_op_cannot_be_is_refused_in_one_line_that_names_it(more: dict[str, Any], line: str) -> None:
    with pytest.raises(DefinitionError, match=line) as caught:
        op(**more)(one)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("op ")


def test_a_parameter_that_cannot_be_given_by_name_is_refused() -> None:
    def star(*one: object) -> None: ...

    with pytest.raises(DefinitionError, match=r"op 'star': its parameter 'one' cannot be given by name"):
        op(star)


def test_the_pools_of_an_op_may_be_given_in_three_ways() -> None:
    assert op(pool="a")(one).pools == {"a": 1}
    assert op(pool="a", slots=2)(one).pools == {"a": 2}
    assert op(pools={"a": 2, "b": 1})(one).pools == {"a": 2, "b": 1}


BAD_JOBS: list[tuple[Callable[[], object], str]] = [
    (job_of, "it has no ops"),
    (lambda: job_of(one), "'one' is no op: put @op before the function"),
    (lambda: job_of(op(one), op(name="one")(two)), "two ops are called 'one'"),
    (lambda: job_of(op(one), name="a/b"), "job 'a/b' cannot be used"),
    (lambda: job_of(op(one), tags={"job": "x"}), "'job' and 'location' are set by the system"),
    (lambda: job_of(op(one), queue=""), "queue '' cannot be used"),
    (lambda: job_of(op(one), max_attempts=0), "max_attempts cannot be 0"),
    (
        lambda: job_of(op(one), max_runtime=0),
        "max_runtime cannot be 0: it must be a number of seconds above 0, or None",
    ),
    (lambda: job_of(op(one), priority=5000), "priority cannot be 5000"),
    (lambda: job_of(op(one), executor="multiprocess"), "unknown executor 'multiprocess'"),
    (lambda: job_of(op(one), executor=multiprocess), "unknown executor .*call it: executor=in_process"),
    (lambda: job_of(op(after="two")(one)), "op 'one' comes after 'two', which is no op of it"),
    (lambda: job_of(op(after="tow")(one), op(two)), "did you mean 'two'"),
    (
        lambda: job_of(op(after="two")(one), op(two)),
        "its ops wait for each other: (one -> two -> one|two -> one -> two)",
    ),
    (lambda: job_of(op(after="one")(one)), "its ops wait for each other: one -> one"),
    (
        lambda: job_of(op(one), config={"tag_concurrency_limits": []}),
        "it belongs to execution.config.multiprocess.tag_concurrency_limits",
    ),
    (lambda: Definitions(jobs=[job_of(op(one)), job_of(op(two), op(one))]), "two jobs are called 'one'"),
    (lambda: Definitions(jobs=[one]), "'one' is no job"),  # type: ignore[list-item]
    (lambda: Definitions(jobs=[], location="a b"), "location 'a b' cannot be used"),
    (lambda: limit_by_load(low=-1), "limit_by_load: low cannot be -1"),
    (lambda: limit_by_load(cpu=(80, 50)), r"cpu cannot be \(80, 50\): it must be two per cent"),
]


@pytest.mark.parametrize(("define", "line"), BAD_JOBS)
def test_what_a_job_cannot_be_is_refused_in_one_line(define: Callable[[], object], line: str) -> None:
    with pytest.raises(DefinitionError, match=line) as caught:
        define()
    assert "\n" not in str(caught.value)


BAD_EXECUTORS: list[tuple[Callable[[], object], str]] = [
    (lambda: multiprocess(max_concurrent=-1), "must be a whole number from 1, .*not -1 at max_concurrent"),
    (lambda: multiprocess(max_concurrent=True), "not true"),
    (lambda: in_process(max_concurrent="3"), "not '3'"),  # type: ignore[arg-type]
    (lambda: multiprocess({"max_concurent": 3}), "unknown key at max_concurent; did you mean 'max_concurrent'"),
    (lambda: multiprocess({"max_concurrent": 3}, max_concurrent=2), "takes one mapping, or"),
    (lambda: multiprocess(tag_concurrency_limits=[{"key": "a"}]), r"'limit' is missing at tag_concurrency_limits\[0\]"),
    (lambda: multiprocess(tag_concurrency_limits=[{"limit": 1}]), "the key 'key' is missing"),
    (lambda: multiprocess(tag_concurrency_limits=[{"key": "a", "limit": -1}]), "not -1 at .*leave the entry out"),
    (lambda: multiprocess(tag_concurrency_limits=[{"key": "a", "limit": 1, "vlaue": "x"}]), "did you mean 'value'"),
    (lambda: multiprocess(tag_concurrency_limits=[{"key": "a", "value": 5, "limit": 1}]), 'put it in quotes: "5"'),
    (lambda: multiprocess(tag_concurrency_limits=[{"key": "a", "value": "*", "limit": 1}]), "each value on its own"),
    (
        lambda: multiprocess(tag_concurrency_limits=[{"key": "a", "limit": 1}, {"key": "a", "limit": 2}]),
        "op tag 'a' is limited twice, to 1 and to 2",
    ),
    (lambda: multiprocess(tag_concurrency_limits=5), "must be a list, not 5"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("define", "line"), BAD_EXECUTORS)
def test_what_an_executor_cannot_be_is_refused_in_one_line(define: Callable[[], object], line: str) -> None:
    with pytest.raises(DefinitionError, match=line):
        define()


@pytest.mark.parametrize("none", [0, None])
def test_0_and_none_mean_the_default_of_the_executor(none: int | None) -> None:
    import os

    assert in_process(max_concurrent=none).most() == 1
    assert multiprocess({"max_concurrent": none}).most() == os.cpu_count()


def test_a_parameter_is_the_result_of_the_op_of_its_name_and_else_an_argument() -> None:
    step = job_of(op(one), op(two)).steps["two"]
    assert (step.inputs, [each.name for each in step.arguments]) == (("one",), ["day", "zone"])


def test_arguments_that_are_missing_or_unknown_are_named_with_op_and_job() -> None:
    etl = job_of(op(one), op(two), name="etl")
    etl.check_args({"day": "monday"})
    with pytest.raises(ArgumentError, match="op 'two' of job 'etl' needs 'day'") as caught:
        etl.check_args({})
    assert (caught.value.job, caught.value.op, caught.value.parameter) == ("etl", "two", "day")
    with pytest.raises(ArgumentError, match="job 'etl' has no argument 'dya'; did you mean 'day'"):
        etl.check_args({"day": "monday", "dya": 1})


def test_what_a_job_says_about_itself_is_json_and_holds_what_people_ask_for() -> None:
    first = op(pool="database", slots=2, tags={"db": "postgres"}, priority=5, retries=2, retry_delay=1)(one)
    etl = job_of(
        first, op(two), name="etl", tags={"team": "growth"}, executor=multiprocess(max_concurrent=limit_by_load())
    )
    about = json.loads(json.dumps(etl.about()))
    assert about["description"] == "The first."
    assert about["executor"]["kind"] == "multiprocess"
    assert about["executor"]["max_concurrent"].startswith("limit_by_load(low=1, normal=3, high=5")
    assert about["args"] == {"day": True, "zone": False}
    extract, transform = about["ops"]
    assert (extract["pools"], extract["tags"], extract["retries"]) == ({"database": 2}, {"db": "postgres"}, 2)
    assert transform["upstream"] == ["one"]
    assert etl.pools() == ["database"]


def test_jobs_without_an_executor_get_that_of_their_definitions() -> None:
    plain, own = job_of(op(one), name="plain"), job_of(op(one), name="own", executor=in_process(max_concurrent=7))
    found = Definitions(jobs=[plain, own], executor=multiprocess(max_concurrent=3))
    assert (found.jobs["plain"].settings.kind, found.jobs["plain"].settings.most()) == ("multiprocess", 3)
    assert found.jobs["own"].settings.most() == 7
    assert plain.settings.kind == "in_process", "the job itself is not changed"


def test_an_op_is_still_a_function_to_be_called() -> None:
    @op
    def add(left: int, right: int) -> int:
        return left + right

    assert isinstance(add, Op)
    assert add(1, right=2) == 3


@pytest.mark.parametrize(
    ("cpu", "memory", "expected"),
    [(81, 10, 1), (10, 86, 1), (80, 85, 3), (50, 10, 3), (10, 60, 3), (49, 59, 5)],
)
def test_the_load_decides_as_the_guide_says(cpu: float, memory: float, expected: int) -> None:
    assert limit_by_load().decide(cpu, memory) == expected


def test_the_load_of_this_machine_gives_one_of_the_three() -> None:
    assert limit_by_load(low=2, normal=4, high=6)() in (2, 4, 6)


def test_defining_jobs_loads_nothing_that_talks_to_a_server() -> None:
    code = "import sys, workers; print(*(name for name in ('redis', 'anyio', 'psutil', 'yaml') if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert loaded == [], "each child process would pay for it"
    code = (
        "import workers.submit, workers; from workers import Worker, submit; submit.__name__, workers.submit.__name__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
