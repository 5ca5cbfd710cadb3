"""Finding jobs from what a person types: a module, a file, an attribute of either."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.definitions import load
from workers.errors import NotFoundInModule
from workers.source import source_of

JOBS = """
from workers import Definitions, in_process, job, op

@op
def one(): ...

@job(ops=[one])
def first(): ...

@job(ops=[one])
def second(): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that we are in; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_without_definitions_a_module_offers_all_its_jobs(folder: Path) -> None:
    (folder / "plain_jobs.py").write_text(JOBS)
    for place in ("plain_jobs", "plain_jobs.py", str(folder / "plain_jobs.py")):
        found = load(place)
        assert (found.name, list(found.jobs)) == ("plain_jobs", ["first", "second"])


def test_definitions_say_which_jobs_and_how_the_place_is_called(folder: Path) -> None:
    (folder / "defined.py").write_text(JOBS + "defs = Definitions(jobs=[first], location='here')\nother = defs\n")
    assert (load("defined").name, list(load("defined").jobs)) == ("here", ["first"])
    assert list(load("defined:second").jobs) == ["second"]


def test_a_module_in_a_package_is_found_by_its_dotted_name(folder: Path) -> None:
    (folder / "some_package").mkdir()
    (folder / "some_package" / "inner.py").write_text(JOBS)
    assert load("some_package.inner").name == "some_package.inner"


def test_a_file_finds_what_stands_beside_it_and_so_does_a_child_process(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "beside_it.py").write_text(JOBS)
    (folder / "sub" / "by_path.py").write_text("from beside_it import first\n")
    found = load("sub/by_path.py").jobs["first"]
    assert source_of(found.module).name == "beside_it"
    load("sub/beside_it.py")
    assert str(folder) in sys.path or str(folder / "sub") in sys.path


def test_a_file_with_the_name_of_a_known_module_does_not_replace_it(folder: Path) -> None:
    import json

    (folder / "json.py").write_text(JOBS)
    assert list(load("json.py").jobs) == ["first", "second"]
    assert load("json.py").jobs["first"] is load("json.py").jobs["first"], "imported once"
    assert sys.modules["json"] is json


WRONG = [
    ("no_such_module", "there is no module 'no_such_module' in"),
    ("wrong_jobs.pyy", "there is no module 'wrong_jobs.pyy'|'wrong_jobs' is not a package"),
    ("wrong_jbos", "there is no module 'wrong_jbos' .*; did you mean 'wrong_jobs'"),
    ("some.modul", "there is no module 'some.modul' .*; did you mean 'some.module'"),
    ("no/such/file.py", "there is no file 'no/such/file.py'"),
    ("wrong_job.py", "there is no file 'wrong_job.py'; did you mean 'wrong_jobs.py'"),
    ("a b", "'a b' is neither a module's name nor a path"),
    ("wrong_jobs:frist", "'wrong_jobs' has no 'frist'; did you mean 'first'"),
    ("wrong_jobs:one", "'one' of 'wrong_jobs' is neither Definitions nor a job; it offers first, second"),
    ("empty_jobs", "'empty_jobs' has no jobs: define one"),
    ("two_definitions", "several Definitions: choose one, two_definitions:a or two_definitions:b"),
]


@pytest.mark.parametrize(("place", "line"), WRONG)
def test_what_is_not_there_is_said_in_one_line(folder: Path, place: str, line: str) -> None:
    (folder / "wrong_jobs.py").write_text(JOBS)
    (folder / "empty_jobs.py").write_text("")
    (folder / "some").mkdir()
    (folder / "some" / "module.py").write_text("")
    two = "a = Definitions(jobs=[first])\nb = Definitions(jobs=[second])\n"
    (folder / "two_definitions.py").write_text(JOBS + two)
    with pytest.raises(NotFoundInModule, match=line) as caught:
        load(place)
    assert "\n" not in str(caught.value)


def test_a_name_that_a_location_lacks_is_answered_with_the_nearest(folder: Path) -> None:
    (folder / "near_jobs.py").write_text(JOBS)
    with pytest.raises(NotFoundInModule, match="location 'near_jobs' has no job 'fist'; did you mean 'first'"):
        load("near_jobs").job("fist")


def test_what_a_module_itself_cannot_import_is_its_own_error(folder: Path) -> None:
    (folder / "broken_jobs.py").write_text("import no_such_thing_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_thing_at_all"):
        load("broken_jobs")
