"""What the tests of the configuration file share."""

from __future__ import annotations

import pytest

from semaphores.config.read import parse_config
from semaphores.config.settings import Config
from semaphores.errors import ConfigError


def capacities(config: Config) -> dict[str, int]:
    """Return the capacity of each limit."""
    return {name: spec.capacity for name, spec in config.limits.items()}


def refusal(text: str, **environment: str) -> ConfigError:
    """Return the error that a text ends in."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="semaphores.yaml", environment=environment)
    assert "\n" not in str(caught.value), "an error is one line"
    return caught.value
