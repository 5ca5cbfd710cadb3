"""Composing: small Lua files become few scripts, within Lua's limits, and errors name the file again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from semaphores.scripts import compose
from semaphores.scripts.compose import Script
from semaphores.scripts.folder import lua_folder
from tests.servers import Server

SCRIPTS = [
    compose.call_script,
    compose.relief_script,
    compose.read_script,
    compose.repair_script,
    compose.probe_script,
]


@pytest.mark.parametrize("made", SCRIPTS, ids=lambda made: made.__name__)
def test_the_server_compiles_each_script_and_names_it_by_the_same_hash(made: object, server: Server) -> None:
    script: Script = made()  # type: ignore[operator]
    with server.client() as raw:
        assert raw.script_load(script.text.decode()).encode() == script.sha  # type: ignore[union-attr]


@pytest.mark.parametrize("made", SCRIPTS, ids=lambda made: made.__name__)
def test_every_line_of_a_script_knows_its_file(made: object) -> None:
    script: Script = made()  # type: ignore[operator]
    lines = script.text.decode().splitlines()
    assert len(lines) == len(script.lines)
    texts = {name: path.read_text().splitlines() for name, path in _lua_files().items()}
    for line, (file, number) in zip(lines, script.lines, strict=True):
        if file != "composed":
            assert line in (texts[file][number - 1], texts[file][number - 1].removeprefix("local "))


def test_an_error_is_told_by_file_and_line() -> None:
    script = compose.call_script()
    number = next(i for i, place in enumerate(script.lines, 1) if place == ("prelude/slots.lua", 12))
    assert compose.locate(script, f"ERR user_script:{number}: oops") == "ERR prelude/slots.lua:12: oops"
    assert compose.locate(script, "ERR user_script:999999: oops") == "ERR user_script:999999: oops"


def test_relief_is_the_same_text_under_another_flag() -> None:
    call, relief = compose.call_script().text, compose.relief_script().text
    assert call.partition(b"\n")[2] == relief.partition(b"\n")[2]
    assert relief.startswith(b"#!lua flags=allow-oom\n")


def test_no_lua_file_is_forgotten() -> None:
    assert set(_lua_files()) == {file for made in SCRIPTS for file, _ in made().lines} - {"composed", "composed.lua"}


def test_lua_lines_are_short_and_every_file_has_a_header() -> None:
    for path in _lua_files().values():
        lines = path.read_text().splitlines()
        assert lines[0].startswith("-- "), path
        assert max(map(len, lines)) <= 120, path
        assert len(lines) <= 190, path


KNOWN = (
    "string math table redis cmsgpack tonumber tostring type ipairs pairs unpack pcall error next KEYS ARGV"
    " setmetatable rawget"
    " and break do else elseif end false for function if in local nil not or repeat return then true until while"
)


def test_no_name_is_used_that_nobody_defines() -> None:
    """A global that does not exist raises only when it is reached: here every name is looked at."""
    for made in SCRIPTS:
        text = re.sub(r"--[^\n]*|'(?:\\.|[^'\\])*'|\"[^\"]*\"", " ", made().text.decode().partition("\n")[2])
        defined = set(re.findall(r"function\s+(\w+)", text)) | {
            name
            for names in re.findall(r"(?:local|for|function\s*\w*\s*\()\s*([\w\s,.]+?)\s*(?:=|\bin\b|\)|\n)", text)
            for name in re.findall(r"\w+", names)
        }
        used = set(re.findall(r"(?<![\w.:])([A-Za-z_]\w*)\b(?!\s*=[^=])", text))
        unknown = used - defined - set(KNOWN.split())
        assert not unknown, sorted(unknown)


def _lua_files() -> dict[str, Path]:
    root = Path(str(lua_folder()))
    return {str(path.relative_to(root)): path for path in root.rglob("*.lua")}
