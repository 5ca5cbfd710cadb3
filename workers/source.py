"""Source: finding a module by its name or its file, the same in a worker and in its child processes."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from workers.errors import NotFoundInModule

__all__ = ["Source", "import_file", "import_name", "source_of"]

_by_file: dict[str, str] = {}  # names of modules that were imported from a file that has no other name


@dataclass(frozen=True, slots=True)
class Source:
    """Where a module comes from."""

    name: str
    file: str = ""  # empty: its name is enough

    def module(self) -> ModuleType:
        """Return the module, imported at most once in a process. Whatever its code raises comes through."""
        if self.name in sys.modules:
            return sys.modules[self.name]
        return import_file(Path(self.file), self.name) if self.file else importlib.import_module(self.name)


def source_of(name: str) -> Source:
    """Return where another process finds the module that this one knows under a name."""
    if name == "__main__":
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        if spec is not None:  # python -m package.module
            return Source(str(spec.name))
        if file is None:
            raise NotFoundInModule("a job of an interactive session runs in_process() only: put it into a file")
        return Source("__workers_main__", str(Path(file).resolve()))  # a name of its own: its `if __name__` stays shut
    return Source(name, _by_file.get(name, ""))


def import_file(file: Path, name: str) -> ModuleType:
    """Import a file, once, under a name or a similar one; its folder is searched for what it imports, as when Python
    runs it."""
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file):
        return known
    if known is not None:  # another module has that name already
        name = f"{name}_{sha256(str(file).encode()).hexdigest()[:8]}"
        if name in sys.modules:
            return sys.modules[name]
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NotFoundInModule(f"{str(file)!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _by_file[name] = str(file)
    return module


def import_name(name: str) -> ModuleType:
    """Import a module by name; the folder that we are in is searched too, as with `python -m`."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise  # something that the module itself imports
        near = get_close_matches(error.name, _modules_here(Path(*error.name.split(".")[:-1])), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise NotFoundInModule(f"there is no module {error.name!r} in {here} or where Python looks{hint}") from None


def _modules_here(folder: Path) -> list[str]:
    """Return the dotted names of modules and packages in a folder below the one that we are in."""
    found = [each for each in folder.iterdir() if each.suffix == ".py" or each.is_dir()] if folder.is_dir() else []
    return [".".join(each.with_suffix("").parts) for each in found]
