"""Sections: which parts of a file are ours, and which belong to other programs and are left alone.

The sections stand at the top of a file, or under `dagster.instance.config` of a Helm values file. What is foreign is
listed and never read; what looks like ours in another place is a mistake, since a limit must not vanish in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from semaphores.config.problem import Path, Problem, nearest, path_text
from semaphores.config.schema import BELONGS, Document
from semaphores.config.tree import Tree

__all__ = ["Sections", "find_sections"]

OURS = tuple(Document.model_fields)
HELM = ("dagster", "instance", "config")  # where a Helm values file has what is otherwise a file of its own
_LIMITS = ("max_concurrent_runs", "tag_concurrency_limits")


@dataclass
class Sections:
    """What a file has: the nodes of our sections under `base`, the paths of the rest."""

    base: Path = ()
    ours: dict[str, yaml.Node] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def find_sections(root: yaml.MappingNode, tree: Tree, problems: list[Problem]) -> Sections:
    """Sort the sections of a file. Sections that seem to be misspelt or misplaced are added to `problems`."""
    sections = Sections()
    base: Path = ()
    level = tree.entries(root, base)
    chain: list[tuple[Path, dict[str, yaml.Node]]] = [(base, level)]
    for name in HELM:
        below = level.get(name)
        if not isinstance(below, yaml.MappingNode):
            break
        base = (*base, name)
        level = tree.entries(below, base)
        chain.append((base, level))
    else:
        for around, outer in chain[:-1]:
            _sort_around(around, outer, sections, problems)
        sections.base = base
        _sort(base, level, tree, sections, problems)
        return sections
    for around, outer in chain[1:]:  # `dagster:` or `dagster.instance:` without `config`
        _sort_around(around, outer, Sections(), problems)
    _sort((), chain[0][1], tree, sections, problems)
    return sections


def _sort(base: Path, entries: dict[str, yaml.Node], tree: Tree, sections: Sections, problems: list[Problem]) -> None:
    for key, node in entries.items():
        path = (*base, key)
        meant = nearest(key, OURS)
        if key in OURS:
            sections.ours[key] = node
        elif meant:
            problems.append(Problem(path, "unknown section", f"did you mean '{meant}'?"))
        elif key in BELONGS:
            problems.append(Problem(path, f"{key} does not stand here", f"it belongs to {BELONGS[key]}"))
        elif wrong := _limits_of_others(key, node, path, tree):
            problems.append(wrong)
        else:
            sections.ignored.append(path_text(path))


def _sort_around(path: Path, entries: dict[str, yaml.Node], sections: Sections, problems: list[Problem]) -> None:
    """Sort what stands around `dagster.instance.config`: a chart has sections of its own there, even a `redis`."""
    for key in entries:
        if (*path, key) == HELM[: len(path) + 1]:
            continue
        if key in ("concurrency", "run_queue", *BELONGS):
            belongs = path_text(HELM) + "." + BELONGS.get(key, key)
            problems.append(Problem((*path, key), f"{key} does not stand here", f"it belongs to {belongs}"))
        else:
            sections.ignored.append(path_text((*path, key)))


def _limits_of_others(key: str, node: yaml.Node, path: Path, tree: Tree) -> Problem | None:
    """Notice limits in two sections that are otherwise foreign; to skip those would leave them without any effect."""
    if key == "execution":
        hint = "it belongs to the configuration of a job; the limits of all runs to concurrency.runs"
        return Problem(path, "execution does not stand here", hint)
    if key != "run_coordinator" or not isinstance(node, yaml.MappingNode):
        return None
    config = next((below for name, below in node.value if name.value == "config"), None)
    if isinstance(config, yaml.MappingNode):
        for name, _ in config.value:
            if name.value in _LIMITS:
                tree.lines[(*path, "config", name.value)] = name.start_mark.line + 1
                hint = f"it belongs to {BELONGS[name.value]}"
                return Problem((*path, "config", name.value), f"{name.value} does not stand here", hint)
    return None
