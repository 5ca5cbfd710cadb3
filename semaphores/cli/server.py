"""`semaphores server`: the embedded server of this user on this host."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer.core import TyperCommand

from semaphores import server
from semaphores.cli.render import json_text, line, plain
from semaphores.cli.target import begin_namespace, target_of
from semaphores.cli.tree import Json, Verb, noun
from semaphores.client import connect
from semaphores.scripts.stored import moment

app = noun("The embedded server, which all processes of a user on a host share when no URL is given.")


@app.command("start", cls=Verb)
def start(ctx: typer.Context) -> None:
    """Start the embedded server unless it runs. It starts by itself on first use, too."""
    before = server.status().running
    found = server.ensure()
    if found.created:
        target = target_of(ctx)
        with connect(found.url, namespace=target.namespace, ttl=target.ttl, init=True) as client:
            begin_namespace(client)
    line(f"{'runs already' if before else 'started'}: pid {found.pid}, {found.url}")
    if os.environ.get("SEMAPHORES_URL"):
        print("note: SEMAPHORES_URL is set, so commands use that server and not this one", file=sys.stderr)


@app.command("stop", cls=Verb)
def stop() -> None:
    """Stop the embedded server; returns when its data is on disk."""
    line("stopped" if server.stop() else "no embedded server was running")


@app.command("status", cls=Verb)
def status(json: Json = False) -> int:
    """Say whether the embedded server runs. Exit code 1 when it does not."""
    found = server.status()
    if json:
        told = plain(found)
        since = moment(found.since).isoformat() if found.since is not None else None
        print(json_text({**told, "since": since} if isinstance(told, dict) else told))
    else:
        line(str(found))
    return 0 if found.running else 1


@app.command("url", cls=Verb)
def url(json: Json = False) -> None:
    """Print the embedded server's address, whether it runs or not."""
    print(json_text({"url": server.url()}) if json else server.url())


@app.command(
    "cli",
    cls=TyperCommand,
    context_settings={
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    },
)
def cli(
    words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND...", help="As redis-cli takes it.")] = None,
) -> int:
    """Send one command to the embedded server, where no redis-cli is installed."""
    return server.cli(words or [], write=print)
