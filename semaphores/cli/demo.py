"""`semaphores demo`: see it at work on the standard library of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.target import target_of
from semaphores.cli.tree import Json, Verb, single

app = single()


@app.command("demo", cls=Verb)
def demo(
    ctx: typer.Context,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes that index.")] = None,
    files: Annotated[int | None, typer.Option(metavar="N", help="Index no more than so many files.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave its keys and files for a look.")] = False,
    json: Json = False,
) -> int:
    """Index the standard library with several processes, without and with limits; one of them is killed on the way."""
    from semaphores.demo import run_demo

    url = target_of(ctx).url
    if workers is None:
        return run_demo(url=url, files=files, keep=keep, as_json=json)
    return run_demo(url=url, workers=workers, files=files, keep=keep, as_json=json)
