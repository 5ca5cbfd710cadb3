"""`semaphores pool`: pools by the name that code uses; `*` is the default of all that have no limit of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli import changing
from semaphores.cli.completing import pool_names
from semaphores.cli.render import show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun
from semaphores.cli.words import capacity_of, pool_of

app = noun("Set, list, delete, pause and resume pools. The pool '*' is the default of those without a limit.")

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The pool, as code names it; '*' for the default.", autocompletion=pool_names),
]


@app.command("set", cls=Verb, context_settings={"ignore_unknown_options": True})
def set_(
    ctx: typer.Context,
    name: Name,
    capacity: Annotated[str, typer.Argument(metavar="N", help="Slots: 0 lets nothing start, -1 is unlimited.")],
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it protects; shown by status.")] = None,
) -> None:
    """Set a pool's capacity. Whoever waits or comes obeys at once; who holds slots keeps them."""
    limit, slots = pool_of(name), capacity_of(capacity)
    with open_client(ctx) as client:
        changing.set_capacity(client, limit, slots, description)


@app.command("get", cls=Verb)
def get(ctx: typer.Context, name: Name, json: Json = False) -> None:
    """Show one pool."""
    limit = pool_of(name)
    with open_client(ctx) as client:
        changing.get(client, limit, as_json=json)


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List all pools that are limited, held or waited for."""
    with open_client(ctx) as client:
        pools = [limit for limit in client.limits.list() if limit.kind == "pool"]
        show(pools, as_json=json, empty="no pools yet: 'semaphores pool set NAME N' makes one")


@app.command("delete", cls=Verb)
def delete(ctx: typer.Context, name: Name) -> None:
    """Delete a pool's limit. What waits for it goes on at once, under the default if there is one."""
    limit = pool_of(name)
    with open_client(ctx) as client:
        changing.delete(client, limit)


@app.command("pause", cls=Verb)
def pause(ctx: typer.Context, name: Name) -> None:
    """Let nothing more start in a pool, and remember its capacity."""
    limit = pool_of(name)
    with open_client(ctx) as client:
        changing.pause(client, limit)


@app.command("resume", cls=Verb)
def resume(ctx: typer.Context, name: Name) -> None:
    """Let a paused pool go on."""
    limit = pool_of(name)
    with open_client(ctx) as client:
        changing.resume(client, limit)
