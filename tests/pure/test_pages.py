"""Pages: what the documentation says of the source agrees with the source."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from semaphores.scripts.commands import Command

ROOT = Path(__file__).parents[2]
KEYS = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
LUA = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "lua").rglob("*.lua"))}
COMMANDS = get_args(Command)


def table(heading: str) -> dict[str, str]:
    """Return the rows of the table under a heading: what their first cell names, and the second cell."""
    body = KEYS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split("|") for line in body.splitlines() if line.startswith("| `")]
    return {name: row[1].strip() for row in rows for name in re.findall(r"`([^`]+)`", row[0])}


def header(command: type) -> str:
    """Return the comment that a command's file begins with, as one line."""
    source = (ROOT / "lua" / "commands" / f"{command.op}.lua").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    lines = source[: source.index("\n\n")].splitlines()
    return " ".join(line.removeprefix("--").strip() for line in lines)


def bare(text: str) -> str:
    """Return text without what stands in parentheses."""
    while (shorter := re.sub(r"\([^()]*\)", "", text)) != text:
        text = shorter
    return text


# Keys


def test_the_page_of_keys_names_every_key_of_the_scripts_and_no_other() -> None:
    written = {"meta", "never"}  # KEYS of every call
    for source in LUA.values():
        code = re.sub(r"--.*", "", source)
        code = re.sub(r"return prefix \.\. ('.*)", r"key(\1)", code)
        code = re.sub(r"\b(session|run)_key\(([^()]*)\)", r"key('\1:' .. x)", code)
        code = re.sub(r"'line:' \.\. ", "key('line:' .. x)", code)  # a place, which is a key by its whole name
        for expression in re.findall(r"\bkey\(((?:[^()]|\([^()]*\))*)\)((?: \.\. ':\w+')?)", code):
            literals = re.findall(r"'([^']*)'", "".join(expression))
            if expression[0].startswith("'") and literals[0] != "wake:":
                literals[0] = literals[0].replace(":tag:job=", ":")  # of the limits of a job
                written.add(pattern("*".join(literals) + ("*" if literals[-1].endswith(":") else "")))
    documented = {pattern(re.sub(r"[A-Z]+", "*", name)) for name in table("The keys")}
    assert documented == written


def pattern(name: str) -> str:
    """Return a key's name with one star for what may be several names: `takes:QUEUE:CODE` is `takes:*`."""
    return re.sub(r"\*(:\*)+", "*", name)


def test_the_page_of_keys_names_every_field_of_meta() -> None:
    source = (ROOT / "lua" / "prelude" / "clock.lua").read_text(encoding="utf-8")
    declared = re.search(r"local FIELDS = \{(.*?)\}", source, re.DOTALL)
    assert declared is not None
    assert set(table("meta")) == set(re.findall(r"'(\w+)'", declared[1]))


def test_the_page_of_keys_names_every_field_of_a_session() -> None:
    source = (ROOT / "lua" / "prelude" / "sessions.lua").read_text(encoding="utf-8")
    source += (ROOT / "lua" / "commands" / "begin.lua").read_text(encoding="utf-8")
    written = set(re.findall(r"'(\w+)', (?:digits|expiry,|math\.|me\.|where|program|pids|host)", source))
    written |= set(re.findall(r"fields\[#fields \+ 1\] = '(\w+)'", source))
    enroll = (ROOT / "lua" / "commands" / "enroll.lua").read_text(encoding="utf-8")
    written |= set(re.findall(r"'HSET', session_key\(me\.id\), '(\w+)'", enroll))
    assert set(table("session:ID")) == written


def test_the_page_of_keys_names_every_field_of_a_run() -> None:
    """Those that a command reads or writes by name, and those of the lists that are read or written as a whole."""
    used: set[str] = set()
    for source in LUA.values():
        for fields_of_run in re.findall(
            r"'H(?:M?GET|SET|DEL|EXISTS)', run_key\([\w.]+\),((?:[^()]|\([^()]*\))*)", source
        ):
            used |= set(re.findall(r"'([a-z_]+)'", fields_of_run))
        for listed in re.findall(r"local (?:TOLD|END|SHOWN) = \{(.*?)\}", source, re.DOTALL):
            used |= set(re.findall(r"'([a-z_]+)'", listed))
    submit = LUA[ROOT / "lua" / "commands" / "submit.lua"]
    stored = submit.partition("local fields = {")[2].partition("\n  }")[0]
    used |= set(re.findall(r"\b([a-z_]+) = ", stored)) | set(re.findall(r"\bfields\.([a-z_]+) = ", submit))
    assert {"args", "lease", "submitted", "next", "granted"} <= used, (
        "what this test looks for is written otherwise now"
    )
    assert set(table("run:ID")) == used


def test_the_page_of_keys_names_every_field_of_a_group_and_every_setting() -> None:
    groups = LUA[ROOT / "lua" / "prelude" / "groups.lua"]
    written = {
        name
        for values in re.findall(r"'HSET', group_key\(hash\), ((?:[^()]|\([^()]*\))*)\)", groups)
        for name in re.findall(r"'([a-z]+)'", values)
    }
    assert set(table("group:HASH")) == written
    changes = LUA[ROOT / "lua" / "commands" / "change_limits.lua"]
    spans = re.search(r"local SPANS = \{(.*?)\}", changes)
    assert spans is not None
    known = set(re.findall(r"(\w+) = true", spans[1])) | set(
        re.findall(r"name == '(\w+)'", changes.partition("function checked_settings")[2])
    )
    assert set(table("settings")) == known


# Headers of commands


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.op)
def test_the_header_of_a_command_names_the_fields_of_its_dataclass(command: type) -> None:
    stated = re.search(r"Arguments: (.*?)\.(?: |$)", bare(header(command)))
    assert stated is not None, "a header says `Arguments:` and names them in one sentence"
    names = {name.strip() for name in re.split(r"[,;]", stated[1])} - {"n"}  # every command but a beat has its N
    assert names == {field.name.rstrip("_") for field in fields(command)}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.op)
def test_the_header_of_a_command_names_every_answer_that_it_gives(command: type) -> None:
    file = f"{command.op}.lua"  # type: ignore[attr-defined]
    stated = re.search(r"Answer: (.*?)\. *Reads", bare(header(command)))
    assert stated is not None, "a header says `Answer:` and then what it reads and writes"
    outer = re.sub(r"\{[^{}]*\}", "", re.sub(r"\{[^{}]*\}", "", stated[1]))
    parts = [text for path, text in LUA.items() if path.name == file or f"-- Answer: see {file}" in text]
    given = set(re.findall(r"answer = '(\w+)'", "".join(parts)))
    assert {word.strip() for word in outer.split("|")} == given


# Paths


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_the_rooms_and_paths_that_contributing_names_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*|[A-Za-z]\w*\.(?:py|md|toml|yml))`", text)
    assert len(named) > 20, "it has a table of what to change where"
    missing = sorted({name for name in named if not (ROOT / name).exists()})
    assert not missing
