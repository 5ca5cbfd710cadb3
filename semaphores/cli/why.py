"""`semaphores why`: what blocks a request, who holds that, since when, and the position in line."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from semaphores.cli.render import Told, line, show
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, single
from semaphores.cli.words import limit_of, pool_of
from semaphores.client import Client
from semaphores.errors import NotFound, UsageError
from semaphores.runs.why import RunWhy
from semaphores.why import LeaseWhy, LimitWhy, RequestWhy, SessionWhy, Why

app = single()

_KINDS = {RequestWhy: "request", LeaseWhy: "lease", SessionWhy: "session", LimitWhy: "limit", RunWhy: "run"}


@app.command("why", cls=Verb)
def why(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="ID", help="A run, a request or lease (SESSION/N), a session, pool or limit.")
    ],
    json: Json = False,
) -> None:
    """Say what blocks a run or a request, who holds that, since when, and its position in line.

    Of a lease, a session or a limit it says what it holds, or who holds and waits for it.
    """
    with open_client(ctx) as client:
        found = _find(client, name)
        if json:
            print(Told(_KINDS[type(found)], found).json())
        else:
            _tell(found)


def _find(client: Client, name: str) -> Why | RunWhy:
    """Ask by the name as given, then by the name as it is stored, which differs where it has blanks and the like."""
    try:
        return client.why(name)
    except NotFound:
        with contextlib.suppress(UsageError, NotFound):
            return client.why(limit_of(name) if ":" in name else pool_of(name))
        raise


def _tell(found: Why | RunWhy) -> None:
    line(str(found))
    if isinstance(found, RequestWhy | RunWhy):
        for need in found.needs:
            if not need.blocks and need.capacity is not None:  # what nothing limits keeps nobody
                line(f"  it also needs {need}")
    elif isinstance(found, SessionWhy | LimitWhy):
        for views in (found.leases, found.requests):
            if views:
                line()
                show(views, as_json=False, empty="")
