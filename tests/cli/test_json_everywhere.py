"""Every command that reads has --json; a new one has to be named here or to have it."""

from __future__ import annotations

from collections.abc import Iterator

from semaphores.cli.tree import command_line

CHANGES = {  # or run something, or stay until they are ended
    *("apply", "completion", "exec", "fleet-demo", "top", "ui", "worker"),
    *("lease release", "run cancel", "run execute", "run retry", "run set-priority", "run submit"),
    *(f"{noun} {verb}" for noun in ("pool", "limit") for verb in ("set", "delete", "pause", "resume")),
    *("server start", "server stop", "server cli"),
}


def commands(group: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Give every command with its options, those of other packages too."""
    for name in group.list_commands(None):  # type: ignore[attr-defined]
        command = group.get_command(None, name)  # type: ignore[attr-defined]
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", {option for param in command.params for option in param.opts}


def test_every_command_that_reads_has_json() -> None:
    without = {name for name, options in commands(command_line()) if "--json" not in options}
    assert without - CHANGES == set()
