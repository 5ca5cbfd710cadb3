"""`semaphores limit`: limits of every kind by their full name: runs, pools and tags."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli import changing
from semaphores.cli.completing import limit_names
from semaphores.cli.render import show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun
from semaphores.cli.words import capacity_of, limit_of

app = noun("Limits of every kind: runs, pool:NAME, pool:*, tag:KEY, tag:KEY=VALUE, tag:KEY=* (each value on its own).")

Limit = Annotated[
    str,
    typer.Argument(
        metavar="LIMIT", help="runs, pool:NAME, tag:KEY, tag:KEY=VALUE or tag:KEY=*.", autocompletion=limit_names
    ),
]


@app.command("set", cls=Verb, context_settings={"ignore_unknown_options": True})
def set_(
    ctx: typer.Context,
    limit: Limit,
    capacity: Annotated[str, typer.Argument(metavar="N", help="Slots: 0 lets nothing start, -1 is unlimited.")],
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it protects; shown by status.")] = None,
) -> None:
    """Set a limit's capacity. Whoever waits or comes obeys at once; who holds slots keeps them."""
    name, slots = limit_of(limit), capacity_of(capacity)
    with open_client(ctx) as client:
        changing.set_capacity(client, name, slots, description)


@app.command("get", cls=Verb)
def get(ctx: typer.Context, limit: Limit, json: Json = False) -> None:
    """Show one limit."""
    name = limit_of(limit)
    with open_client(ctx) as client:
        changing.get(client, name, as_json=json)


@app.command("list", cls=Verb)
def list_(ctx: typer.Context, json: Json = False) -> None:
    """List all limits that are set, held or waited for."""
    with open_client(ctx) as client:
        show(client.limits.list(), as_json=json, empty="no limits yet: 'semaphores pool set NAME N' makes one")


@app.command("delete", cls=Verb)
def delete(ctx: typer.Context, limit: Limit) -> None:
    """Delete a limit. What waits for it goes on at once."""
    name = limit_of(limit)
    with open_client(ctx) as client:
        changing.delete(client, name)


@app.command("pause", cls=Verb)
def pause(ctx: typer.Context, limit: Limit) -> None:
    """Let nothing more start under a limit, and remember its capacity."""
    name = limit_of(limit)
    with open_client(ctx) as client:
        changing.pause(client, name)


@app.command("resume", cls=Verb)
def resume(ctx: typer.Context, limit: Limit) -> None:
    """Let a paused limit go on."""
    name = limit_of(limit)
    with open_client(ctx) as client:
        changing.resume(client, name)
