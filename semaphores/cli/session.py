"""`semaphores session`: the processes that live in the namespace."""

from __future__ import annotations

import typer

from semaphores.cli.render import show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun

app = noun("Sessions: the processes that live in the namespace. 'why SESSION' shows what one holds and waits for.")


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List all sessions, the longest running first."""
    with open_client(ctx) as client:
        show(client.sessions(), as_json=json, empty="no process holds or waits for anything")
