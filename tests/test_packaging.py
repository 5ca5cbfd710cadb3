"""What is installed: the wheel brings its Lua scripts, and importing it stays light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from semaphores.scripts.folder import lua_folder
from tests.servers import Server

ROOT = Path(__file__).parents[1]
HEAVY = ("pydantic", "typer", "rich", "psutil", "click")  # each costs an importer 20 to 200 ms that most never need
LIST_SCRIPTS = """
import json
from semaphores.scripts.folder import lua_folder

def under(folder, prefix=""):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from under(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".lua"):
            yield [prefix + entry.name, entry.read_text()]

print(json.dumps([str(lua_folder()), sorted(under(lua_folder()))]))
"""


def scripts() -> list[list[str]]:
    return sorted(
        [path.relative_to(ROOT / "lua").as_posix(), path.read_text()] for path in (ROOT / "lua").rglob("*.lua")
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built by the builder that the project's environment has."""
    folder = tmp_path_factory.mktemp("wheel")
    build: list[str | Path] = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that has the wheel and, at the end of its path, our dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    variables = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", variables))
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, "--target", packages, wheel], check=True)
    ours = sysconfig.get_path("purelib")
    (packages / "dependencies.pth").write_text(f"import sys; sys.path.append({ours!r})\n")  # without its .pth files
    return Path(sysconfig.get_path("scripts", "venv", variables)) / "python"


def run(python: Path | str, code: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_an_installed_wheel_finds_the_same_scripts_as_the_checkout(installed: Path, tmp_path: Path) -> None:
    folder, found = json.loads(run(installed, LIST_SCRIPTS, tmp_path))
    assert not Path(folder).is_relative_to(ROOT), "it read the checkout's"
    assert found == scripts()
    assert found


ACQUIRE = """
import sys
import semaphores
from semaphores import connect

with connect(sys.argv[1], namespace=sys.argv[2], init=True) as client:
    client.limits.set("pool:db", 1)
    with client.pool("db") as lease:
        (held,) = client.leases()
        print(semaphores.__file__, held.id == lease.id, client.limits.get("pool:db").used)
"""


def test_an_installed_wheel_acquires(installed: Path, tmp_path: Path, server: Server, namespace: str) -> None:
    code = ACQUIRE.replace("sys.argv[1]", repr(server.url)).replace("sys.argv[2]", repr(namespace))
    file, same, used = run(installed, code, tmp_path).split()
    assert not Path(file).is_relative_to(ROOT), "it imported the checkout's"
    assert (same, used) == ("True", "1")


def test_a_checkout_reads_its_scripts_where_they_are() -> None:
    assert str(lua_folder()) == str(ROOT / "lua"), "an edit must not need a new installation"


def test_the_wheel_brings_types_licence_and_command_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "semaphores = semaphores.cli:main" in packed.read(entry_points).decode()
    assert {"semaphores/py.typed", "workers/py.typed", "workers/__init__.py"} <= set(names)
    assert any(name.endswith("LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"semaphores", "workers", "redis_semaphores"}


@pytest.mark.parametrize("package", ["semaphores", "workers"])
def test_importing_is_light(package: str, tmp_path: Path) -> None:
    use = "semaphores.pool, semaphores.connect, " if package == "semaphores" else ""  # names are imported when used
    quiet = 'sys.modules["opentelemetry"] = None'  # where its SDK is installed, redis-py loads that, and it psutil
    code = f"import sys, json; {quiet}; import {package}; {use or 0}; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run(sys.executable, code, tmp_path)))
    assert package in loaded
    assert not loaded & set(HEAVY)


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("make ")] == phony


def test_the_wheel_brings_the_files_of_the_page(wheel: Path) -> None:
    files = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "semaphores" / "ui").rglob("*.*") if path.suffix != ".pyc"
    }
    assert any(name.endswith("layout.html") for name in files)
    assert any(name.endswith("live.js") for name in files)
    with zipfile.ZipFile(wheel) as packed:
        assert files <= set(packed.namelist())
