"""Configuration: the file that says which limits there shall be, in the published YAML format and a little beyond it.

Here it is read and compared with what is in force; the one module that talks to a server is `apply`.
"""

from semaphores.config.difference import Change, InForce, difference
from semaphores.config.read import parse_config, problems, read_config
from semaphores.config.settings import Config, Granularity, LimitSpec, RedisSettings, RunMonitoring

__all__ = [
    "Change",
    "Config",
    "Granularity",
    "InForce",
    "LimitSpec",
    "RedisSettings",
    "RunMonitoring",
    "difference",
    "parse_config",
    "problems",
    "read_config",
]
