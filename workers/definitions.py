"""Definitions: the jobs of a module, and finding them from what a person types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from semaphores import names
from semaphores.errors import UsageError
from workers.errors import DefinitionError, NotFoundInModule
from workers.job import Job
from workers.limits import Executor, check_executor
from workers.source import import_file, import_name

__all__ = ["Definitions", "Location", "find_job", "load"]


@dataclass(frozen=True)
class Location:
    """A code location: a name, and jobs that have their executors."""

    name: str
    jobs: Mapping[str, Job]

    def job(self, name: str) -> Job:
        """Return a job by name. Raises NotFoundInModule."""
        if name not in self.jobs:
            known = f"it has {', '.join(self.jobs)}"
            raise NotFoundInModule(
                f"location {self.name!r} has no job {name!r}{_meant(name, self.jobs) or '; ' + known}"
            )
        return self.jobs[name]


class Definitions:
    """The jobs that a module offers.

    `executor` is for every job that has none of its own. `location` is how limits and people call all this; without
    it, it is the module's name. Raises DefinitionError.
    """

    def __init__(self, *, jobs: Iterable[Job], executor: Executor | None = None, location: str | None = None) -> None:
        check_executor(executor)
        self.jobs: dict[str, Job] = {}
        for job in jobs:
            if not isinstance(job, Job):
                raise DefinitionError(f"{getattr(job, '__name__', job)!r} is no job: put @job(ops=[...]) before it")
            if job.name in self.jobs:
                raise DefinitionError(
                    f"two jobs are called {job.name!r}: give one of them another name, @job(name=...)"
                )
            own = job.executor is not None or executor is None
            self.jobs[job.name] = job if own else replace(job, executor=executor)
        try:
            self.location = None if location is None else names.plain("location", location)
        except UsageError as error:
            raise DefinitionError(str(error)) from None

    def __repr__(self) -> str:
        return f"<Definitions of {', '.join(self.jobs)}>"


def load(module: str) -> Location:
    """Import a module and return its jobs.

    `module` is `package.module` or `path/to/file.py`, either with `:attribute` behind it for one Definitions or Job of
    several. Without, it is the one Definitions of the module or, where there is none, all its jobs.

    Raises:
        NotFoundInModule: there is no such module, file or attribute, or it has no jobs. What its code raises comes
        through as it is.
    """
    place, _, attribute = module.partition(":")
    found = _import(place)
    offered = _named(found, place, attribute) if attribute else _offered(found, place)
    name = offered.location or place_name(place)
    return Location(name, dict(offered.jobs))


def place_name(place: str) -> str:
    """Return the name of the location that a module or a file is."""
    return names.plain("location", Path(place).stem if _is_file(place) else place)


def find_job(module: ModuleType, name: str) -> Job | None:
    """Return a job by name from wherever in a module it stands: by itself, or in Definitions."""
    for value in vars(module).values():
        if isinstance(value, Job) and value.name == name:
            return value
        if isinstance(value, Definitions) and name in value.jobs:
            return value.jobs[name]
    return None


def _import(place: str) -> ModuleType:
    if not _is_file(place):
        if not all(part.isidentifier() for part in place.split(".")):
            raise NotFoundInModule(f"{place!r} is neither a module's name nor a path that ends in .py")
        return import_name(place)
    file = Path(place).resolve()
    if not file.is_file():
        near = _meant(file.name, [each.name for each in file.parent.glob("*.py")] if file.parent.is_dir() else [])
        raise NotFoundInModule(f"there is no file {place!r}{near}")
    return import_file(file, file.stem)


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place


def _named(module: ModuleType, place: str, attribute: str) -> Definitions:
    value = getattr(module, attribute, None)
    if isinstance(value, Definitions):
        return value
    if isinstance(value, Job):
        return Definitions(jobs=[value])
    offers = [name for name, each in vars(module).items() if isinstance(each, Definitions | Job)]
    if value is None:
        raise NotFoundInModule(f"{place!r} has no {attribute!r}{_meant(attribute, offers) or _list(offers)}")
    raise NotFoundInModule(f"{attribute!r} of {place!r} is neither Definitions nor a job{_list(offers)}")


def _offered(module: ModuleType, place: str) -> Definitions:
    found = {id(each): name for name, each in vars(module).items() if isinstance(each, Definitions)}
    if len(found) > 1:
        first, second = list(found.values())[:2]
        raise NotFoundInModule(f"{place!r} has several Definitions: choose one, {place}:{first} or {place}:{second}")
    for name in found.values():
        return _named(module, place, name)
    jobs = list({id(each): each for each in vars(module).values() if isinstance(each, Job)}.values())
    if not jobs:
        raise NotFoundInModule(f"{place!r} has no jobs: define one with @job(ops=[...])")
    return Definitions(jobs=jobs)


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _list(offers: list[str]) -> str:
    return f"; it offers {', '.join(offers)}" if offers else ""
