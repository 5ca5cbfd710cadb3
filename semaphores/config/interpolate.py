"""Interpolation: `${VAR}`, `${VAR:-default}` and `{env: VAR}`, replaced by what the environment says.

Called for the sections that are ours and for no others. What comes out of it is marked as Substituted, so that a number
may come from the environment while errors go on showing only what the file says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from semaphores.config.problem import Path, Problem, Substituted, Value

__all__ = ["interpolate"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")  # `$${` stands for `${` itself
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-([^{]*))?")


def interpolate(value: Value, environment: Mapping[str, str], path: Path, problems: list[Problem]) -> Value:
    """Return `value` with every reference in it replaced; what cannot be replaced is added to `problems`.

    A default holds where the variable is unset or empty, as in a shell. Keys are left as they are.
    """
    if isinstance(value, str):
        return _text(value, environment, path, problems)
    if isinstance(value, list):
        return [interpolate(item, environment, (*path, index), problems) for index, item in enumerate(value)]
    if isinstance(value, dict):
        name = _env_reference(value)
        if name is not None:
            return Substituted(_look_up(name, None, environment, path, problems), f"{{env: {name}}}")
        return {key: interpolate(item, environment, (*path, key), problems) for key, item in value.items()}
    return value


def _env_reference(value: dict[str, Value]) -> str | None:
    name = value.get("env") if len(value) == 1 else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None


def _text(text: str, environment: Mapping[str, str], path: Path, problems: list[Problem]) -> str:
    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        inside = _INSIDE.fullmatch(found[1])
        if inside is None or not found[0].endswith("}"):
            hint = "write ${VAR} or ${VAR:-default}, or $${ for the characters themselves"
            problems.append(Problem(path, f"{found[0][:60]!r} is not a reference to a variable", hint))
            return ""
        return _look_up(inside[1], inside[2], environment, path, problems)

    if "${" not in text:
        return text
    return Substituted(_REFERENCE.sub(replacement, text), text)


def _look_up(
    name: str, default: str | None, environment: Mapping[str, str], path: Path, problems: list[Problem]
) -> str:
    given = environment.get(name)
    if not given and default is not None:
        return default
    if given is None:
        hint = f"set it, or give a default: ${{{name}:-...}}"
        problems.append(Problem(path, f"the environment variable {name} is not set", hint))
        return ""
    try:
        given.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8 come out of os.environ as lone surrogates
        problems.append(Problem(path, f"the environment variable {name} is not valid UTF-8"))
        return ""
    return given
