"""Server: which settings of a server endanger what it keeps for us, and what of ours is left over there.

Pure: how to ask it is given; its libraries are told as names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from semaphores.doctor.finding import Finding, Severity
from semaphores.errors import ServerError, ServerUnsuitable
from semaphores.scripts.probe import check_version, info_fields

__all__ = ["ServerTold", "ask_server", "examine_libraries", "examine_server"]

_Add: TypeAlias = Callable[[Severity, str, str], None]


@dataclass(frozen=True, slots=True)
class ServerTold:
    """What a server says of itself."""

    info: Mapping[str, object]
    settings: Mapping[str, object]  # those that matter to us
    libraries: Sequence[str]  # of all versions of ours; none where the user may not list them


def ask_server(plain: Callable[..., object]) -> ServerTold:
    """Ask a server about itself; `plain` runs a plain command."""
    info, libraries = plain("INFO"), None
    settings: dict[str, object] = {}
    for pattern in ("maxmemory*", "append*", "save", "min-*-to-write", "min-*-max-lag"):
        reply = plain("CONFIG", "GET", pattern)
        if isinstance(reply, list):
            words = [word.decode() for word in reply]
            settings.update(zip(words[::2], words[1::2], strict=True))
    with suppress(ServerError):
        libraries = plain("FUNCTION", "LIST", "LIBRARYNAME", "semaphores_*")
    return ServerTold(
        {**info_fields(info)} if isinstance(info, bytes) else {},
        settings,
        [str(words[1], "utf-8") for words in libraries] if isinstance(libraries, list) else [],
    )


def examine_server(info: Mapping[str, object], config: Mapping[str, object]) -> tuple[Finding, ...]:
    """Return what is dangerous about a server. Settings that it does not show are not judged."""
    found: list[Finding] = []

    def add(severity: Severity, key: str, detail: str) -> None:
        found.append(Finding(severity, "server", key, detail, repair=False))

    try:
        check_version(info)
    except ServerUnsuitable as error:
        add("error", "version", str(error))
    _memory(info, config, add)
    _persistence(info, config, add)
    _replication(info, config, add)
    _connections(config, add)
    return tuple(found)


def examine_libraries(names: Sequence[str], own: str) -> tuple[Finding, ...]:
    """Return a note where other versions left their function libraries; those may be in use."""
    others = sorted(set(names) - {own})
    if not others:
        return ()
    detail = f"are there of other versions; once nobody uses one: FUNCTION DELETE {' | '.join(others)}"
    return (Finding("note", "server", "libraries", detail, repair=False),)


def _memory(info: Mapping[str, object], config: Mapping[str, object], add: _Add) -> None:
    policy = _text(config, "maxmemory-policy") or _text(info, "maxmemory_policy")
    limited = _whole(config, "maxmemory") or _whole(info, "maxmemory")
    if policy not in (None, "noeviction"):
        severity: Severity = "error" if limited else "warning"
        add(severity, "maxmemory-policy", f"is {policy}: the server may throw leases away; set it to noeviction")
    if not limited and (limited is not None):
        add("note", "maxmemory", "is not set: a full machine ends the server; set it below what the machine has")


def _persistence(info: Mapping[str, object], config: Mapping[str, object], add: _Add) -> None:
    aof = _text(config, "appendonly") == "yes" or _whole(info, "aof_enabled") == 1
    snapshots = bool(_text(config, "save"))
    if not aof and ("appendonly" in config or "aof_enabled" in info):
        if snapshots:
            add(
                "warning",
                "appendonly",
                "is no: a restart goes back to the last snapshot, and a grace of one ttl follows",
            )
        else:
            add("warning", "appendonly", "is no, and there are no snapshots: a restart loses limits that nobody holds")
    if _text(config, "appendfsync") == "no" and aof:
        add("warning", "appendfsync", "is no: a crash of the machine may lose minutes; set it to everysec")
    for field in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if _text(info, field) not in (None, "ok"):
            add(
                "error",
                field,
                f"is {_text(info, field)}: the server cannot write to disk; look at its log and its disk",
            )


def _replication(info: Mapping[str, object], config: Mapping[str, object], add: _Add) -> None:
    if _text(info, "role") in ("slave", "replica"):
        add("error", "role", "is replica: it takes no writes; name the primary, Sentinels or the cluster in the URL")
    replicas = _whole(info, "connected_slaves") or 0
    wanted = _whole(config, "min-replicas-to-write") or _whole(config, "min-slaves-to-write") or 0
    if replicas > 0 and wanted < replicas:
        add(
            "warning",
            "min-replicas-to-write",
            f"is {wanted} with {replicas} replicas: a primary that is cut off goes on granting; set it to {replicas}",
        )


def _connections(config: Mapping[str, object], add: _Add) -> None:
    if _text(config, "maxmemory-clients") not in (None, "0", ""):
        add("warning", "maxmemory-clients", "is set: the server may drop connections that wait; set it to 0")
    timeout = _whole(config, "timeout")
    if timeout and timeout < 60:
        add("note", "timeout", f"is {timeout} s: idle connections are closed and made anew; set it to 0")


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return None if value is None else str(value)


def _whole(values: Mapping[str, object], name: str) -> int | None:
    text = _text(values, name)
    return int(text) if text is not None and text.isdecimal() else None
