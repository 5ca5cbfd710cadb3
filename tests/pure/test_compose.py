"""Composing: small Lua files become one library, within Lua's limits; nothing outlives a call; errors name the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis

from semaphores.scripts.compose import MOST_LOCALS, Library, compose, library, locate, sources
from semaphores.scripts.folder import lua_folder
from semaphores.scripts.parts import ComposeError

FLAGS = {"call": [], "relief": ["allow-oom"], "read": ["no-writes"], "repair": ["allow-oom"], "probe": ["allow-oom"]}


def together(*, put: Mapping[str, str], probe: str = "return probed") -> dict[str, str]:
    """The files with others among them, and with another end of the function that is easiest to call."""
    files: dict[str, str] = {}
    for name, text in sources().items():
        files[name] = text.replace("return probed", probe) if name == "probe" else text
        if name == "prelude/base":
            files |= {f"prelude/{other}": text for other, text in put.items()}
    return files


def refused(text: str) -> str:
    with pytest.raises(ComposeError) as caught:
        compose(together(put={"planted": text}))
    return str(caught.value)


# The library


def test_the_server_offers_each_function_under_the_name_of_the_text(raw: redis.Redis) -> None:
    loaded(raw, library())
    found = raw.execute_command("FUNCTION", "LIST", "LIBRARYNAME", library().name)
    assert {one["name"]: list(one["flags"]) for one in found[0]["functions"]} == {
        f"{library().name}_{name}": flags for name, flags in FLAGS.items()
    }


def test_another_text_is_another_library() -> None:
    assert compose(together(put={})).name == library().name
    other = compose(together(put={"planted": "-- planted: nothing.\n"}))
    assert other.name != library().name
    assert re.fullmatch(r"semaphores_[0-9a-f]{16}", other.name)


def test_every_line_of_the_library_knows_its_file() -> None:
    lines = library().text.decode().splitlines()
    assert len(lines) == len(library().lines)
    texts = {name: path.read_text().splitlines() for name, path in _lua_files().items()}
    for line, (file, number) in zip(lines, library().lines, strict=True):
        if file != "composed":
            told = texts[file][number - 1]
            assert line in ("", told, told.removeprefix("local ")) or line.endswith(" = nil"), (file, number)


def test_an_error_is_told_by_file_and_line() -> None:
    number = next(i for i, place in enumerate(library().lines, 1) if place == ("prelude/slots.lua", 12))
    assert locate(f"ERR user_function:{number}: oops") == "ERR prelude/slots.lua:12: oops"
    assert locate("ERR user_function:999999: oops") == "ERR user_function:999999: oops"


def test_no_lua_file_is_forgotten() -> None:
    assert set(_lua_files()) == {file for file, _ in library().lines} - {"composed"}


# What a call remembers

REMEMBERS = """-- remembers: all that a file may keep while a call lasts.

local count = 0 -- a number
local list, map = {}, { list = {} }
local nothing

local function remembers()
  count, list[#list + 1], map.list[#map.list + 1] = count + 1, 1, 1
  nothing = (nothing or 0) + 1
  return { count, #list, #map.list, nothing }
end
"""


def test_what_a_file_remembers_begins_anew_in_each_call(raw: redis.Redis) -> None:
    made = compose(together(put={"remembers": REMEMBERS}, probe="remembers()\n  return remembers()"))
    loaded(raw, made)
    for _ in range(3):
        assert called(raw, made, "probe") == [2, 2, 2, 2]


def test_it_begins_anew_also_after_a_call_that_failed(raw: redis.Redis) -> None:
    probe = "if ARGV[1] then\n    remembers()\n    error('oops')\n  end\n  return remembers()"
    made = compose(together(put={"remembers": REMEMBERS}, probe=probe))
    loaded(raw, made)
    with pytest.raises(redis.ResponseError, match="oops"):
        called(raw, made, "probe", "fail")
    assert called(raw, made, "probe") == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "odd",
    [
        "local seen = {\n}",
        "local seen =\n  {}",
        "local seen = 1 +\n  2",
        "local seen = 1\n  + 2",
        "local seen = (function() return {} end)()",
        "local Seen = {}",
        "local seen, SEEN = {}, {}",
        "local SEEN",
        "local SEEN = (function()\n  local seen\nend)()",
        "seen = {}",
        "function seen()\nend",
        "do\n  local seen = {}\nend",
        "local function seen() return 1 end",
        "if true then\nend",
        "  local seen = {}",
    ],
)
def test_any_other_form_at_the_top_level_is_refused_with_its_line(odd: str) -> None:
    assert refused(f"-- planted: odd.\n\n{odd}\n").startswith("prelude/planted.lua:")


@pytest.mark.parametrize("write", ["SEEN[1] = 2", "SEEN.a.b = 2", "SEEN[#SEEN + 1] = 2", "SEEN = 2"])
def test_a_constant_that_is_written_to_is_refused(write: str) -> None:
    said = refused(f"-- planted: writes.\nlocal SEEN = {{}}\n\nlocal function see()\n  {write}\nend\n")
    assert said.startswith("prelude/planted.lua:5: a constant is written to")


def test_a_constant_is_made_of_what_was_made_before_it() -> None:
    assert "prelude/planted.lua:2: meta has no value" in refused("-- planted: early.\nlocal ME = { meta }\n")
    assert "prelude/planted.lua:2: SECOND has no value" in refused("-- planted: early.\nlocal HOUR = 3600 * SECOND\n")


def test_a_state_that_a_call_reaches_but_does_not_begin_with_is_refused() -> None:
    state = "-- planted: counts.\nlocal counted = 0\n\nlocal function count_up()\n  counted = counted + 1\nend\n"
    user = "-- user: counts.\n\nlocal function user()\n  count_up()\nend\n"
    probe = "count_up()\n  return probed"
    compose({"read/planted": state, **together(put={"user": user})})  # nobody calls it
    with pytest.raises(ComposeError) as caught:
        compose({"read/planted": state, **together(put={}, probe=probe)})
    assert str(caught.value) == "read/planted.lua:2: counted is not begun anew in calls of `probe`, which use it"


def test_a_name_means_one_thing() -> None:
    assert "both define digits" in refused("-- planted: again.\nlocal function digits(x)\n  return x\nend\n")


# Lua's limits


def test_too_many_names_are_refused_before_the_server_does() -> None:
    many = "".join(f"local n_{number} = 1\n" for number in range(MOST_LOCALS))
    assert f"Lua allows {MOST_LOCALS} local names" in refused(f"-- planted: many.\n{many}")
    used = " + ".join(f"n_{number}" for number in range(61))
    few = "".join(f"local n_{number} = 1\n" for number in range(61))
    alone = {"planted": f"-- planted: many.\n{few}\nlocal function sum()\n  return {used}\nend\n"}
    with pytest.raises(ComposeError) as failure:
        compose(alone)
    assert str(failure.value) == "planted.lua:64: Lua allows 60 outer names, it uses 61"


def test_there_is_room_for_more_files() -> None:
    more = "".join(f"local function f_{number}()\n  return {number}\nend\n\n" for number in range(20))
    users = " + ".join(f"f_{number}()" for number in range(20))
    user = f"-- user: uses them.\n\nlocal function user()\n  return {users}\nend\n"
    compose({"commands/more": f"-- more: functions.\n\n{more}", **sources(), "use": user})


# Style


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
    text = re.sub(r"--[^\n]*|'(?:\\.|[^'\\])*'|\"[^\"]*\"", " ", library().text.decode().partition("\n")[2])
    defined = set(re.findall(r"function\s+(\w+)", text)) | {
        name
        for names in re.findall(r"(?:local|for|function\s*\w*\s*\()\s*([\w\s,.]+?)\s*(?:=|\bin\b|\)|\n)", text)
        for name in re.findall(r"\w+", names)
    }
    used = set(re.findall(r"(?<![\w.:])([A-Za-z_]\w*)\b(?!\s*=[^=])", text))
    unknown = used - defined - set(KNOWN.split())
    assert not unknown, sorted(unknown)


def loaded(raw: redis.Redis, made: Library) -> None:
    raw.execute_command("FUNCTION", "LOAD", "REPLACE", made.text.decode())


def called(raw: redis.Redis, made: Library, function: str, *arguments: str) -> object:
    verb, name = made.words(function)
    return raw.execute_command(verb.decode(), name.decode(), 2, "sem:{x}:meta", "sem:{x}:never", *arguments)


def _lua_files() -> dict[str, Path]:
    root = Path(str(lua_folder()))
    return {str(path.relative_to(root)): path for path in root.rglob("*.lua")}
