"""`semaphores init`: makes a namespace on a server that has none, without the grace that a bare first use waits for."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.render import json_text, line
from semaphores.cli.target import begin_namespace, target_of
from semaphores.cli.tree import Json, Verb, single
from semaphores.client import connect
from semaphores.wording import seconds

app = single()


@app.command("init", cls=Verb)
def init(
    ctx: typer.Context,
    ttl: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Life of a session without heartbeat, 1 to 60 [default: SEMAPHORES_TTL, 10]."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a new namespace on a server that never had it, so that nothing has to wait for holders who may come back.

    Where it exists already, nothing is done. Not for a server that lost its data: its holders would not be waited for.
    """
    target = target_of(ctx)
    wanted = ttl if ttl is not None else target.ttl
    with connect(target.url, namespace=target.namespace, ttl=wanted, init=True) as client:
        name, before = client.connections.namespace, client.namespace()
        if not before.exists:
            begin_namespace(client)
        view = client.namespace()
        if json:
            print(json_text({"name": name, "made": not before.exists, "ttl": view.ttl, "grace": view.grace}))
            return
        if not before.exists:
            line(f"namespace {name} is made: ttl {view.ttl:g} s, ready for use")
            return
        grace = f"; it is in a grace for another {seconds(view.grace)}" if view.grace is not None else ""
        line(f"namespace {name} exists already (ttl {view.ttl:g} s): nothing was done{grace}")
