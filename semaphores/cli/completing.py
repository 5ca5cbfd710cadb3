"""Completing: what the shell offers when Tab is pressed: values from the server, and how the question is answered.

The questions come in the environment, as typer asks them. Invariant: no key press waits longer for a server than
PATIENCE, starts one, or prints an error; and only plain words are offered, as shells evaluate what they are told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from threading import Thread

import typer

from semaphores import server
from semaphores.cli.target import target_of
from semaphores.client import Client, connect

__all__ = ["SHELLS", "job_names", "limit_names", "pool_names", "prepare", "run_ids", "statuses"]

SHELLS = ("bash", "zsh", "fish")
PATIENCE = 0.5  # seconds; who waits longer types on
MOST_RUNS = 50  # of each status
_PLAIN = re.compile(r"[\w.,:/@%+=-]+", re.ASCII)


def prepare() -> None:
    """Let typer answer for the shells that it knows."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()


def pool_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the pools that are limited or used."""
    return _asked(ctx, incomplete, lambda client: _limits(client, "pool"))


def limit_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer limits of every kind."""
    return _asked(ctx, incomplete, lambda client: _limits(client, ""))


def job_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the jobs that workers told of."""

    def ask(client: Client) -> Iterable[tuple[str, str]]:
        return [(job.name, f"{job.queued} queued, {job.running} running") for job in client.runs.jobs()]

    return _asked(ctx, incomplete, ask)


def run_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the newest runs."""

    def ask(client: Client) -> Iterable[tuple[str, str]]:
        return [(run.id, f"{run.job} {run.status}") for run in client.runs.list(most=MOST_RUNS)]

    return _asked(ctx, incomplete, ask)


def statuses(incomplete: str) -> list[tuple[str, str]]:
    """Offer what a run may be at, in the case in which the word was begun."""
    from semaphores.runs.views import FINISHED, IN_PROGRESS, STATUSES

    told = dict.fromkeys(IN_PROGRESS, "holds slots") | dict.fromkeys(FINISHED, "is over")
    words = [(status if incomplete[:1].isupper() or not incomplete else status.lower(), status) for status in STATUSES]
    return [(word, told.get(status, "waits")) for word, status in words if word.startswith(incomplete)]


def _limits(client: Client, kind: str) -> Iterable[tuple[str, str]]:
    from semaphores.cli.words import shown

    for limit in client.limits.list():
        if not kind or limit.kind == kind:
            name = shown(limit.limit).partition(":")[2] if kind else shown(limit.limit)
            yield name, f"{limit.used} of {'unlimited' if limit.capacity is None else limit.capacity}"


def _asked(
    ctx: typer.Context, incomplete: str, ask: Callable[[Client], Iterable[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Ask the server, but not for long. The thread that asks is left behind if need be."""
    found: list[tuple[str, str]] = []

    def look() -> None:
        try:
            client = _client(ctx)
            if client is not None:
                with client:
                    found.extend(ask(client))
        except Exception:  # noqa: BLE001, S110 - whoever presses Tab wants words, and nothing instead of an error
            pass

    asking = Thread(target=look, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    words = found.copy() if not asking.is_alive() else []
    return [(word, told) for word, told in words if _PLAIN.fullmatch(word) and word.startswith(incomplete)]


def _client(ctx: typer.Context) -> Client | None:
    """A client of what the command line names so far; none where that would start a server."""
    target = target_of(ctx)
    if target.url is None and not os.environ.get("SEMAPHORES_URL") and not server.status().running:
        return None
    return connect(target.url, namespace=target.namespace, ttl=target.ttl)
