"""Query: what an address asks of a page, and addresses made of it. Pure.

Names may hold bytes that are no UTF-8; they survive the way through an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

__all__ = ["Query", "address", "local", "parse"]

MOST_FIELDS = 200


def parse(text: str) -> dict[str, str]:
    """Return the fields of a query string or of a form; of two with one name the last. Raises ValueError."""
    return dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MOST_FIELDS))


def address(path: str, fields: Mapping[str, object] | None = None, **more: object) -> str:
    """Return an address in pure ASCII; fields that are None or empty are left out."""
    told = {name: str(value) for name, value in {**(fields or {}), **more}.items() if value not in (None, "")}
    words = urlencode(told, errors="surrogateescape", quote_via=quote)
    return f"{path}?{words}" if words else path


def local(back: str, default: str = "/") -> str:
    """Return an address that a form names to go back to, if it is one of this page's."""
    if not back.startswith("/") or back.startswith(("//", "/\\")) or not back.isascii() or not back.isprintable():
        return default
    return back


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one view."""

    path: str
    fields: Mapping[str, str]
    live: bool = False  # it is asked again and again

    def text(self, name: str, default: str = "") -> str:
        """Return a field."""
        return self.fields.get(name, default).strip()

    def exact(self, name: str) -> str:
        """Return a field as it is, blanks included."""
        return self.fields.get(name, "")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a field as a number within bounds; the default where it is none."""
        told = self.fields.get(name, "")
        if not (told.isascii() and told.isdigit() and len(told) < 12):
            return default
        return max(low, min(high, int(told)))

    def choice(self, name: str, *choices: str) -> str:
        """Return a field that is one of the choices, else the first of them."""
        told = self.fields.get(name, "")
        return told if told in choices else choices[0]

    def link(self, **changed: object) -> str:
        """Return the address of this view with some fields changed; None removes one."""
        return address(self.path, {**self.fields, **changed})

    @property
    def address(self) -> str:
        """The address of this view as it is."""
        return address(self.path, self.fields)

    @property
    def news(self) -> str:
        """Where news of this view come from."""
        return address("/live" + self.path, self.fields)
