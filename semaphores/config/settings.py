"""Settings: what a configuration file says, once it has been read and found good.

Plain frozen values that every room above may hold; nothing here reads a file or knows its format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Config", "Granularity", "LimitSpec", "RedisSettings", "RunMonitoring"]

Granularity = Literal["op", "run"]


@dataclass(frozen=True)
class LimitSpec:
    """A limit as the file gives it."""

    capacity: int  # slots; 0 pauses, -1 is unlimited
    description: str
    line: int  # of the file, from 1


@dataclass(frozen=True)
class RunMonitoring:
    """When workers give a run up. Nothing of it holds unless `enabled`."""

    enabled: bool = False
    start_timeout_seconds: float = 180.0
    cancel_timeout_seconds: float = 180.0
    max_runtime_seconds: float | None = None  # None: as long as it takes


@dataclass(frozen=True)
class RedisSettings:
    """Where the server is; None: the file does not say. The URL may hold a password, so no repr shows it."""

    url: str | None = field(default=None, repr=False)
    namespace: str | None = None
    ttl: float | None = None  # seconds


@dataclass(frozen=True)
class Config:
    """A configuration file, read and checked."""

    file: str
    limits: Mapping[str, LimitSpec] = field(default_factory=dict)  # by limit name, such as `pool:database`
    granularity: Granularity = "op"
    run_monitoring: RunMonitoring = RunMonitoring()
    settings: Mapping[str, str] = field(default_factory=dict)  # of runs, those that the file names; "": none
    redis: RedisSettings = RedisSettings()
    ignored: tuple[str, ...] = ()  # paths of what is not ours, with a reason behind a colon where one helps
