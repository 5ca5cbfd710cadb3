"""`semaphores validate`, `diff` and `apply`: a configuration file, and the limits that are in force."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from semaphores.cli.render import json_text, line, plain
from semaphores.cli.target import open_client
from semaphores.cli.tree import CONFIG, Json, Verb, single
from semaphores.cli.words import printable
from semaphores.config.settings import Config
from semaphores.errors import UsageError

apps = {"validate": single(), "diff": single(), "apply": single()}

File = Annotated[
    str | None, typer.Argument(metavar="FILE", help="The configuration [default: --config, else SEMAPHORES_CONFIG].")
]
Prune = Annotated[bool, typer.Option("--prune", help="Delete limits that a file once set and this one does not name.")]


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One problem of a file, as JSON shows it."""

    file: str
    line: int | None
    path: str
    problem: str
    hint: str


@apps["validate"].command("validate", cls=Verb)
def validate(ctx: typer.Context, file: File = None, json: Json = False) -> int:
    """Check a configuration file: prints every mistake with its line. Needs no server. Exit code 1 when it has any."""
    from semaphores.config.read import problems, read_config

    path = _path(ctx, file)
    found = problems(path)
    if json:
        mistakes = [_Mistake(one.file, one.line, one.path, one.problem, one.hint) for one in found]
        ignored = [] if found else list(read_config(path).ignored)
        print(json_text({"valid": not found, "problems": [plain(one) for one in mistakes], "ignored": ignored}))
        return 1 if found else 0
    for one in found:
        print(f"error: {printable(str(one))}", file=sys.stderr)
    if found:
        return 1
    config = read_config(path)
    line(f"{path}: good, {_size(config)}")
    for section in config.ignored:
        line(f"  ignored: {section}")
    return 0


@apps["diff"].command("diff", cls=Verb)
def diff(ctx: typer.Context, file: File = None, prune: Prune = False, json: Json = False) -> None:
    """Show what applying a configuration file would change. Changes nothing."""
    from semaphores.apply import compare
    from semaphores.config.read import read_config

    path = _path(ctx, file)
    config = read_config(path)
    with open_client(ctx, path) as client:
        changes = compare(client, config, prune=prune)
        if json:
            print(json_text(changes))
            return
        for change in changes:
            line(str(change))
        if not any(not change.kind.startswith("keep") for change in changes):
            line(f"nothing to change: {path} is in force")


@apps["apply"].command("apply", cls=Verb)
def apply(ctx: typer.Context, file: File = None, prune: Prune = False) -> None:
    """Bring a configuration file into force: all of it or nothing, audited. Whoever runs or waits obeys at once."""
    from semaphores.apply import apply_config
    from semaphores.config.read import read_config

    path = _path(ctx, file)
    config = read_config(path)
    with open_client(ctx, path) as client:
        changes = apply_config(client, config, prune=prune)
        for change in changes:
            line(str(change))
        done = sum(not change.kind.startswith("keep") for change in changes)
        version = client.namespace().config
        line(
            f"applied {_size(config)}: {done} changed, version {version}"
            if done
            else f"nothing to change: {path} is in force"
        )


def _path(ctx: typer.Context, file: str | None) -> str:
    path = file or ctx.meta.get(CONFIG) or os.environ.get("SEMAPHORES_CONFIG")
    if not path:
        raise UsageError("which file? Name one, or set SEMAPHORES_CONFIG")
    return str(path)


def _size(config: Config) -> str:
    """Return what a file sets: its limits, and settings of runs if there are any."""
    settings = sum(bool(value) for value in config.settings.values())
    return _count(len(config.limits), "limit") + (f" and {_count(settings, 'setting')}" if settings else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
