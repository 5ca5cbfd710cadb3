"""`semaphores exec`: runs a command while slots are held, and ends it before anybody else could hold them.

Exit codes: the command's own; 124 no slot in time, 125 lease lost, 126 not executable, 127 not found (as env(1)).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Annotated

import typer

from semaphores.cli.target import open_client
from semaphores.cli.tree import Verb, single
from semaphores.cli.words import nearest, printable, shown, tags_of
from semaphores.client import Client
from semaphores.errors import AcquireTimeout, LeaseLost, UsageError
from semaphores.guard.clock import now
from semaphores.guard.run import Outcome, run_guarded
from semaphores.lease import Lease
from semaphores.session.session import Session
from semaphores.wording import seconds

app = single()

TIMED_OUT, LOST = 124, 125


class _Ended(BaseException):
    """Raised out of a wait by a signal that asks us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@app.command("exec", cls=Verb, context_settings={"allow_interspersed_args": False})
def exec_(
    ctx: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(metavar="[--] COMMAND...", help="What to run.")] = None,
    pool: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Hold slots of this pool; may be repeated.")
    ] = None,
    slots: Annotated[
        list[int] | None, typer.Option(metavar="N", help="How many: once for all pools, or once for each [default: 1].")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Take the limits of this tag.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long to wait; 0 tries once [default: for ever].")
    ] = None,
    priority: Annotated[int, typer.Option(help="Higher goes first among those that wait.")] = 0,
) -> int:
    """Run a command while holding slots; all of them or none.

    The command finds its lease in SEMAPHORES_LEASE and its fencing token in SEMAPHORES_TOKEN. It is ended before
    anybody else can hold its slots. Exit code: the command's own; 124 no slot in time, 125 lease lost, 126 and 127
    as env(1).
    """
    if not command:
        raise UsageError("there is no command to run: name one after '--'")
    if timeout is not None and not 0 <= timeout < float("inf"):
        raise UsageError(f"--timeout cannot be {timeout:g}: it must be 0 seconds or more")
    wanted = _Wanted(_pools(pool or [], slots or []), tags_of(tag or []), timeout, priority)
    if not wanted.pools and not wanted.tags:
        raise UsageError("nothing to hold: name a pool with --pool, or a tag with --tag")
    with _ends_on_signals():
        try:
            with open_client(ctx) as client:
                client.connections.session.company.expect()  # the command outlives a kill of this process by a moment
                return _run(client, wanted, command)
        except AcquireTimeout as error:
            return _failed(str(error), TIMED_OUT)
        except LeaseLost as error:
            return _failed(str(error), LOST)
        except _Ended as ended:
            return 128 + ended.number


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command is to hold. `timeout` in seconds; None: wait for ever."""

    pools: Mapping[str, int]
    tags: Mapping[str, str]
    timeout: float | None
    priority: int


def _run(client: Client, wanted: _Wanted, command: list[str]) -> int:
    unlimited: list[str] = []
    client.connections.session.on_unlimited = unlimited.append
    with contextlib.ExitStack() as held:
        lease = _hold(held, client, wanted)
        for limit in unlimited:
            _warn_unlimited(client, limit)
        outcome = _guarded(lease, command, client.connections.session)
        with contextlib.suppress(LeaseLost):  # the command has ended; the outcome says whether the loss ended it
            held.close()
    return _failed(outcome.detail, outcome.code) if outcome.detail else outcome.code


def _hold(held: contextlib.ExitStack, client: Client, wanted: _Wanted) -> Lease:
    """Try once; if that fails and there is time, say why where it matters, and wait in line."""
    started = time.monotonic()
    try:
        return held.enter_context(
            client.acquire(
                pools=wanted.pools, tags=wanted.tags, priority=wanted.priority, timeout=wanted.timeout, blocking=False
            )
        )
    except AcquireTimeout as refused:
        left = None if wanted.timeout is None else wanted.timeout - (time.monotonic() - started)
        if left is not None and left <= 0:
            raise
        _announce(refused)
    return held.enter_context(
        client.acquire(pools=wanted.pools, tags=wanted.tags, priority=wanted.priority, timeout=left)
    )


def _guarded(lease: Lease, command: list[str], session: Session) -> Outcome:
    until = float("-inf")

    def deadline() -> float:
        """Return until when the lease is certainly held; the last such moment once it is lost."""
        nonlocal until
        moment = now()  # first, so that what the two clocks differ by errs on the safe side
        left = lease.remaining
        if left > 0:
            until = max(until, moment + left)
        return until

    def lost() -> str | None:
        try:
            lease.guard()
        except LeaseLost as error:
            return error.reason
        return None

    environment = {**os.environ, "SEMAPHORES_LEASE": lease.id, "SEMAPHORES_TOKEN": str(lease.token)}

    def started(guard: int) -> None:
        session.company.join(guard)
        session.on_trouble()  # the next beat tells, at once

    return run_guarded(command, deadline=deadline, lost=lost, env=environment, started=started)


def _announce(refused: AcquireTimeout) -> None:
    """Say what a wait is for: a grace always, since it is a surprise; a full limit to people only."""
    if refused.grace is not None:
        print(
            f"waiting: nothing is granted for another {seconds(refused.grace)}, since the server's data is new or was"
            " lost and living holders may still come back; 'semaphores init' makes a new namespace without this wait",
            file=sys.stderr,
            flush=True,
        )
    elif sys.stderr.isatty():
        print(f"waiting: {printable(str(refused)).partition('; raise the limit')[0]}", file=sys.stderr, flush=True)


def _warn_unlimited(client: Client, limit: str) -> None:
    meant = nearest(shown(limit), [shown(one.limit) for one in client.limits.list() if one.limit != limit])
    hint = f" (did you mean {meant!r}?)" if meant else ""
    name = shown(limit).partition(":")[2]
    print(
        f"warning: pool {name!r} has no limit, so it holds nobody back{hint};"
        f" 'semaphores pool set {name} N' gives it one",
        file=sys.stderr,
        flush=True,
    )


def _pools(names: list[str], counts: list[int]) -> dict[str, int]:
    if len(set(names)) < len(names):
        raise UsageError("a pool is named twice: name it once, and say how many slots with --slots")
    if len(counts) not in (0, 1, len(names)):
        raise UsageError(f"--slots is given {len(counts)} times for {len(names)} pools: once for all, or once for each")
    if counts and not names:
        raise UsageError("--slots goes with --pool: a tag takes one slot")
    each = counts if len(counts) > 1 else (counts or [1]) * len(names)
    return dict(zip(names, each, strict=True))


def _failed(text: str, code: int) -> int:
    print(f"error: {printable(' '.join(text.split()))}", file=sys.stderr, flush=True)
    return code


@contextlib.contextmanager
def _ends_on_signals() -> Iterator[None]:
    """Leave nothing behind when told to end while waiting. One that our caller ignores (nohup) stays ignored."""

    def end(number: int, frame: FrameType | None) -> None:
        raise _Ended(number)

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
