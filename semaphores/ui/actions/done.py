"""Done: what an action leaves: where the visitor goes next, and what is said there."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Done"]


@dataclass(frozen=True, slots=True)
class Done:
    """An action that worked."""

    text: str
    address: str
