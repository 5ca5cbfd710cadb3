"""Probe: what the server says of itself at connecting, judged. Pure: it reads no socket.

The function `probe` proves each thing that everything else relies on; a server that lacks one is refused by name, and
so is one that does not take the library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semaphores.errors import ServerUnavailable, ServerUnsuitable

__all__ = ["ServerFacts", "check_version", "info_fields", "judge", "judge_load"]

OLDEST = {"Redis": (7, 0), "Valkey": (7, 2)}

_NOT_NOW = (
    *("LOADING", "READONLY", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MOVED", "ASK", "OOM", "MISCONF"),
    "NOREPLICAS",
)
_NOT_ALLOWED = ("NOAUTH", "WRONGPASS", "NOPERM")
RIGHTS = "+fcall +fcall_ro +function|load +info +time +spublish +ssubscribe"  # besides those of data


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server that we can work with."""

    name: str  # Redis or Valkey
    version: str
    server_id: str  # its run_id: another one means that its data may be another's

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def judge(
    reply: Sequence[bytes | str] | None, error: str | None = None, info: Mapping[str, object] | None = None
) -> ServerFacts:
    """Return who the server is, from the probe's reply; or say what it lacks.

    `error` is the server's text where the probe failed, `info` its INFO (section server), if that could be read.
    Raises ServerUnsuitable where it lacks something, ServerUnavailable where it will not answer for now.
    """
    told, missing = _parse(reply or ())
    name, version = _who(told, info or {})
    if error is not None:
        _refuse_error(error, f"{name} {version}".strip())
    check_version({**(info or {}), **told})
    who = f"{name} {version}"
    if missing or "server" not in told:
        lacks = "; ".join(missing) or "run_id in INFO"
        raise ServerUnsuitable(f"{who} cannot be used: it lacks {lacks}; use Redis 7.0 or Valkey 7.2, or newer")
    return ServerFacts(name, version, told["server"])


def judge_load(error: str | None, info: Mapping[str, object] | None = None) -> None:
    """Judge the reply to FUNCTION LOAD; that another process was faster is fine.

    Raises ServerUnsuitable where the server will never take the library, ServerUnavailable where it will not for now.
    """
    if error is not None and not error.endswith("already exists"):
        _refuse_error(error, " ".join(_who({}, info)).strip() if info else "the server")


def info_fields(info: bytes) -> dict[str, str]:
    """Return what INFO said, by field."""
    lines = info.decode("utf-8", "replace").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines if line[:1] not in ("", "#"))}


def check_version(info: Mapping[str, object]) -> None:
    """Refuse a server by what its INFO says of itself. Raises ServerUnsuitable."""
    name, version = _who({}, info)
    if name not in OLDEST or _older(version, OLDEST[name]):
        who = f"{name} {version}".strip()
        raise ServerUnsuitable(f"the server is {who}: Redis 7.0 or Valkey 7.2, or newer, is needed")


def _parse(reply: Sequence[bytes | str]) -> tuple[dict[str, str], list[str]]:
    told: dict[str, str] = {}
    missing: list[str] = []
    for line in reply:
        name, _, value = (line.decode("utf-8", "replace") if isinstance(line, bytes) else line).partition("=")
        if name == "missing":
            missing.append(value)
        else:
            told[name] = value
    return told, missing


def _who(told: Mapping[str, str], info: Mapping[str, object]) -> tuple[str, str]:
    """Valkey also tells a redis_version, for clients that know no other."""

    def says(name: str) -> str:
        return told.get(name) or str(info.get(name) or "")

    if says("valkey_version"):
        return "Valkey", says("valkey_version")
    for other in ("dragonfly_version", "kvrocks_version", "garnet_version"):
        if says(other):
            return other.partition("_")[0].capitalize(), says(other)
    return ("Redis", says("redis_version")) if says("redis_version") else ("an unknown server", "")


def _older(version: str, oldest: tuple[int, int]) -> bool:
    numbers = [int(part) for part in re.findall(r"\d+", version)[:2]]
    return tuple(numbers) < oldest


def _refuse_error(error: str, who: str) -> None:
    code = error.partition(" ")[0]
    if code in _NOT_NOW:
        raise ServerUnavailable(f"{who} will not work for now: {error}")
    if code in _NOT_ALLOWED:
        raise ServerUnsuitable(f"{who} does not allow what is needed: its user needs {RIGHTS} ({error})")
    if "unknown command" in error:
        raise ServerUnsuitable(f"{who} does not know functions: Redis 7.0 or Valkey 7.2, or newer, is needed ({error})")
    raise ServerUnsuitable(f"{who} refused the function library: {error}")
