"""State: what a live view shows of its rows, and what each key changes about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["VIEWS", "Order", "State", "pressed"]

VIEWS = ("limits", "runs", "workers", "sessions")


@dataclass(frozen=True, slots=True)
class Order:
    """By which column rows are sorted."""

    column: int = 0
    reverse: bool = False


# What is busiest, or went on longest, is first.
_FIRST = {"limits": Order(2, True), "runs": Order(6), "workers": Order(0), "sessions": Order(4, True)}


@dataclass(frozen=True, slots=True)
class State:
    """What is shown, and how."""

    view: str = VIEWS[0]
    orders: Mapping[str, Order] = field(default_factory=lambda: dict(_FIRST))
    filter: str = ""
    typing: bool = False  # the filter is being written
    paused: bool = False
    top: int = 0  # the first row that is shown
    over: bool = False

    @property
    def order(self) -> Order:
        """How the rows of this view are sorted."""
        return self.orders[self.view]


def pressed(state: State, key: str, *, columns: int, rows: int, room: int) -> State:
    """Return the state after a key. There are so many columns and rows, and room for so many of these."""
    if state.typing:
        return _typed(state, key)
    if key in ("q", "Q"):
        return replace(state, over=True)
    if key in ("1", "2", "3", "4"):
        return _viewing(state, VIEWS[int(key) - 1])
    if key in ("tab", "backtab"):
        step = 1 if key == "tab" else -1
        return _viewing(state, VIEWS[(VIEWS.index(state.view) + step) % len(VIEWS)])
    if key in ("s", "right", "S", "left"):
        step = 1 if key in ("s", "right") else -1
        return _sorted(state, Order((min(state.order.column, columns - 1) + step) % max(1, columns)))
    if key == "r":
        return _sorted(state, replace(state.order, reverse=not state.order.reverse))
    if key == "/":
        return replace(state, typing=True)
    if key == "escape":
        return replace(state, filter="", top=0)
    if key in ("p", " "):
        return replace(state, paused=not state.paused)
    return replace(state, top=_top(state.top, key, rows, room))


def _typed(state: State, key: str) -> State:
    if key == "escape":
        return replace(state, typing=False, filter="", top=0)
    if key == "enter":
        return replace(state, typing=False)
    if key == "backspace":
        return replace(state, filter=state.filter[:-1], top=0)
    return replace(state, filter=state.filter + key, top=0) if len(key) == 1 else state


def _viewing(state: State, view: str) -> State:
    return replace(state, view=view, top=0)


def _sorted(state: State, order: Order) -> State:
    return replace(state, orders={**state.orders, state.view: order}, top=0)


def _top(top: int, key: str, rows: int, room: int) -> int:
    page = max(1, room - 1)
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page, "home": -rows, "end": rows}
    return max(0, min(top + steps.get(key, 0), rows - room))
