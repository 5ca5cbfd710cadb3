"""`semaphores workers`: the processes that take runs."""

from __future__ import annotations

import typer

from semaphores.cli.render import show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, single

app = single()


@app.command("workers", cls=Verb)
def workers(ctx: typer.Context, json: Json = False) -> None:
    """Show the processes that take runs, the longest running first: queues, seats, runs in progress, load, last beat.

    One that is not heard of any more is marked DEAD until its runs are back in their queues.
    """
    with open_client(ctx) as client:
        show(client.runs.workers(), as_json=json, empty="no worker is alive: 'semaphores worker MODULE' starts one")
