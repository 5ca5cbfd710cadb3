"""`semaphores lease`: who holds slots, who waits for them, and how to take them away by force."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.completing import limit_names, pool_names
from semaphores.cli.render import json_text, line, show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, noun
from semaphores.cli.words import limit_of, pool_of
from semaphores.client import Client
from semaphores.errors import NotFound, UsageError
from semaphores.why import LeaseWhy, RequestWhy
from semaphores.wording import seconds

app = noun("Leases: who holds slots. With --waiting: who waits for them, with the ids that 'why' takes.")

Id = Annotated[str, typer.Argument(metavar="ID", help="SESSION/N, as 'lease list' shows it.")]


@app.command("list", cls=Verb)
def list_(
    ctx: typer.Context,
    pool: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this pool.", autocompletion=pool_names)
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="LIMIT", help="Only those of this limit.", autocompletion=limit_names)
    ] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="List requests that wait instead.")] = False,
    json: Json = False,
) -> None:
    """List leases, the oldest first; or with --waiting the requests that wait, the first in line first."""
    if pool is not None and limit is not None:
        raise UsageError("--pool and --limit are two ways to name one limit: give one of them")
    name = pool_of(pool) if pool is not None else limit_of(limit) if limit is not None else None
    with open_client(ctx) as client:
        if waiting:
            show(client.requests(name), as_json=json, empty="nobody waits")
        else:
            show(client.leases(name), as_json=json, empty="nobody holds a slot")


@app.command("show", cls=Verb)
def show_(ctx: typer.Context, lease: Id, json: Json = False) -> None:
    """Show one lease, or one request that waits."""
    with open_client(ctx) as client:
        found = client.why(lease) if "/" in lease else None
        view = found.lease if isinstance(found, LeaseWhy) else found.request if isinstance(found, RequestWhy) else None
        if view is None:
            raise NotFound("lease or request", lease, _one_of(client, lease))
        if json:
            print(json_text(view))
        else:
            show([view], as_json=False, empty="")


@app.command("release", cls=Verb)
def release(
    ctx: typer.Context,
    lease: Id,
    now: Annotated[
        bool, typer.Option("--now", help="Free the slots at once, though the holder may still be at work: two may.")
    ] = False,
) -> None:
    """Take a lease from its holder, who is told at once; its slots are free when it answers, or its ttl is over."""
    with open_client(ctx) as client:
        freed = client.release(lease, now=now)
        if not freed:
            line(
                f"{lease} is taken from its holder, who was told; its slots are free when it answers,"
                f" in at most {seconds(client.namespace().ttl)} (--now frees them at once)"
            )
        elif now:
            line(f"{lease} is released and its slots are free; its holder may still be at work until it notices")
        else:
            line(f"{lease} is released and its slots are free: its process was gone")


def _one_of(client: Client, session: str) -> str | None:
    return next((lease.id for lease in client.leases() if lease.session == session), None)
