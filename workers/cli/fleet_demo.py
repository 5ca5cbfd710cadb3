"""`semaphores fleet-demo`: see runs and workers at work on the standard library of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.target import target_of
from semaphores.cli.tree import Verb, single

app = single()


@app.command("fleet-demo", cls=Verb)
def fleet_demo(
    ctx: typer.Context,
    files: Annotated[int | None, typer.Option(metavar="N", help="Index no more than so many files.")] = None,
) -> int:
    """Index the standard library as runs of a job, worked on by three workers; one of them is killed on the way."""
    from workers.demo.fleet import run_fleet

    return run_fleet(url=target_of(ctx).url, files=files)
