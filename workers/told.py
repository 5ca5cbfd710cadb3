"""Told: the run that a seat got, from the fields that the server told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgpack

from semaphores.scripts.run_commands import bytes_of
from workers.executor.protocol import RunInfo

__all__ = ["read_run"]


def read_run(told: Mapping[str, str], token: int) -> tuple[RunInfo, str]:
    """Return the run, and why it cannot be carried out at all where its record cannot be read."""
    try:
        return _info(told, token), ""
    except (KeyError, ValueError, TypeError, msgpack.UnpackException) as error:
        return RunInfo(told["id"], told.get("job", "")), f"its record cannot be read: {type(error).__name__}: {error}"


def _info(told: Mapping[str, str], token: int) -> RunInfo:
    return RunInfo(
        id=told["id"],
        job=told["job"],
        attempt=int(told.get("attempt", "0")) + 1,
        max_attempts=int(told.get("max_attempts", "1")),
        tags=_object(told.get("tags")),
        args=_args(told.get("args")),
        config=_object(told.get("config")) if "config" in told else None,
        token=token,
    )


def _object(text: str | None) -> Mapping[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def _args(text: str | None) -> Mapping[str, object]:
    found = msgpack.unpackb(bytes_of(text), timestamp=3) if text else {}
    return found if isinstance(found, dict) else {}
