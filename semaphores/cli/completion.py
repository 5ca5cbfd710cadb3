"""`semaphores completion`: the script that makes a shell complete our words."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.completing import SHELLS
from semaphores.cli.entry import COMPLETE
from semaphores.cli.tree import Verb, single
from semaphores.cli.words import nearest
from semaphores.errors import UsageError

app = single()


def _shells(incomplete: str) -> list[str]:
    return [shell for shell in SHELLS if shell.startswith(incomplete)]


@app.command("completion", cls=Verb)
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=_shells)],
) -> None:
    """Print a script that completes commands, options, pools, limits, jobs and runs, asking the server for names.

    In ~/.bashrc and ~/.zshrc: eval "$(semaphores completion bash)", or zsh. For fish:
    semaphores completion fish > ~/.config/fish/completions/semaphores.fish
    """
    if shell not in SHELLS:
        meant = nearest(shell, SHELLS)
        hint = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"{shell!r} is no shell that can be completed in: {', '.join(SHELLS)}{hint}")
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="semaphores", complete_var=COMPLETE, shell=shell))
