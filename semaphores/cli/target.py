"""Target: which server and namespace a command works on: options first, then the environment, then the file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import typer

from semaphores.cli.tree import CONFIG, NAMESPACE, URL
from semaphores.client import Client, connect
from semaphores.scripts.commands import Revoke
from semaphores.session.process import user

__all__ = ["Target", "begin_namespace", "open_client", "target_of"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to; None leaves it to the environment and the defaults."""

    url: str | None = field(repr=False)
    namespace: str | None
    ttl: float | None  # seconds


def target_of(ctx: typer.Context, file: str | None = None) -> Target:
    """Return what the command works on. `file`: a configuration that the command itself is about.

    Raises ConfigError when the configuration cannot be used.
    """
    url, namespace, ttl = ctx.meta.get(URL), ctx.meta.get(NAMESPACE), None
    path = ctx.meta.get(CONFIG) or file or os.environ.get("SEMAPHORES_CONFIG")
    if path:
        from semaphores.config.read import read_config

        redis = read_config(path).redis
        url = url or (None if os.environ.get("SEMAPHORES_URL") else redis.url)
        namespace = namespace or (None if os.environ.get("SEMAPHORES_NAMESPACE") else redis.namespace)
        ttl = None if os.environ.get("SEMAPHORES_TTL") else redis.ttl
    return Target(url, namespace, ttl)


def open_client(ctx: typer.Context, file: str | None = None) -> Client:
    """Return a client for the command. Raises UsageError, ServerUnavailable."""
    target = target_of(ctx, file)
    client = connect(target.url, namespace=target.namespace, ttl=target.ttl)
    if client.connections.settings.init:  # the embedded server, in a folder made just now: nobody can hold anything
        begin_namespace(client)
    return client


def begin_namespace(client: Client) -> None:
    """Make the namespace if the server has none: by a command that changes nothing else."""
    client.connections.command(Revoke("none/0", user()))
