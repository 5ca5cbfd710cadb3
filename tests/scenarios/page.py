"""Page: the tables of README.md, written from the files. `python -m tests.scenarios.page` brings it up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.scenarios.planted import BUGS
from tests.scenarios.scenario import themes

__all__ = ["PAGE", "up_to_date"]

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- written by tests/scenarios/page.py -->\n", "<!-- end -->\n"


def up_to_date(page: str) -> str:
    """Return the page with its tables as the files are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(_lines()) + "\n" + END + after


def _lines() -> Iterator[str]:
    found = themes()
    count = sum(len(theme.scenarios) for theme in found)
    yield f"\n{count} scenarios in {len(found)} files, {len(BUGS)} planted bugs.\n"
    for theme in found:
        yield f"### {theme.title} ([{theme.name}.yaml]({theme.name}.yaml))\n"
        yield from _table(["promise", "rule", "what ours does otherwise"])
        for scenario in theme.scenarios:
            yield _row(scenario.name, scenario.rule, scenario.differs or "")
        yield ""
    for name, title in (("configurations", "Configurations"), ("run_configs", "Run configs")):
        yield f"### {title} that are refused ([refused/{name}.yaml](refused/{name}.yaml))\n"
        yield from _table(["refused", "Dagster, or the guide's rule"])
        for case in yaml.safe_load((PAGE.parent / "refused" / f"{name}.yaml").read_text()):
            yield _row(case["name"], case["rule"])
        yield ""
    yield "### Planted bugs ([planted.py](planted.py)), and the scenario that notices each\n"
    yield from _table(["bug", "noticed by"])
    for bug in BUGS:
        yield _row(bug.name, bug.noticed_by)
    yield ""


def _table(columns: list[str]) -> list[str]:
    return [_row(*columns), "|" + "---|" * len(columns)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(up_to_date(PAGE.read_text()))
