"""`semaphores ui`: the web page of a namespace, on this machine unless a token guards it. Needs the extra `ui`."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from semaphores.cli.logs import LogJson, log_to_stderr
from semaphores.cli.render import line
from semaphores.cli.target import open_client
from semaphores.cli.tree import Verb, single
from semaphores.errors import Refused, UsageError

if TYPE_CHECKING:
    from semaphores.client import Client
    from semaphores.ui import PageSettings

app = single()

EXTRA = ("starlette", "uvicorn", "jinja2", "prometheus_client")
BACKLOG = 128


@app.command("ui", cls=Verb)
def ui(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes a free one.")] = 8737,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Any but a loopback one needs a token.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(metavar="TEXT", help="That visitors sign in with [default: SEMAPHORES_UI_TOKEN].")
    ] = None,
    allow_writes: Annotated[bool, typer.Option("--allow-writes", help="Let it change limits and runs.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Another name it is called by, as behind a proxy.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    log_json: LogJson = False,
) -> None:
    """Show limits, runs and workers as a live web page, until Ctrl-C. Read-only unless --allow-writes."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise UsageError(f"the page needs {', '.join(missing)}: pip install 'redis-semaphores[ui]'")
    from semaphores.ui import PageSettings

    told = token if token is not None else os.environ.get("SEMAPHORES_UI_TOKEN") or None
    settings = PageSettings(host, port, told, allow_writes, frozenset(allow_host or ()))
    settings.check()
    log_to_stderr(as_json=log_json)
    with _listen(host, port) as listener, open_client(ctx) as client:
        client.namespace()  # a server that is away is told of here
        _serve(client, settings, listener, open_=open_)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Refused(f"the page cannot listen on {host}:{port}: {reason}; --port takes another one") from None
    return listener


def _serve(client: Client, settings: PageSettings, listener: socket.socket, *, open_: bool) -> None:
    from dataclasses import replace

    from semaphores.ui import make_app
    from semaphores.ui.serving import PageServer

    port = listener.getsockname()[1]
    page = make_app(client, replace(settings, port=port))
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{name}:{port}/"
    what = "changes are allowed" if settings.allow_writes else "read-only; --allow-writes lets it change things"
    line(f"{address} shows namespace {client.connections.namespace} ({what}). Ctrl-C ends it")
    sys.stdout.flush()
    if open_:
        import webbrowser

        webbrowser.open(address)
    PageServer(page).run(sockets=[listener])
