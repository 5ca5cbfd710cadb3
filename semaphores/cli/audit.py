"""`semaphores audit`: who changed which limit, and which leases were released by force."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.render import show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, single

app = single()


@app.command("audit", cls=Verb)
def audit(
    ctx: typer.Context,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the latest entries.")] = 50,
    json: Json = False,
) -> None:
    """Show the latest changes of limits and forced releases, newest first."""
    with open_client(ctx) as client:
        show(client.audit(count), as_json=json, empty="nothing was changed yet")
