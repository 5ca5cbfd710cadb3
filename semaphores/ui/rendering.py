"""Rendering: a view's facts as HTML: its part that lives on, or the whole page around it.

Everything is escaped but what `Markup` says is HTML, and nothing of a name is ever that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from semaphores.ui.desk import Desk
from semaphores.ui.drawing import bar
from semaphores.ui.passes import Pass
from semaphores.ui.query import Query, address
from semaphores.ui.words import FILTERS, finalize

__all__ = ["Shown", "View", "fragment", "page", "warm"]

NAV = (
    ("/", "Concurrency"),
    ("/runs", "Runs"),
    ("/jobs", "Jobs"),
    ("/workers", "Workers"),
    ("/config", "Config"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows: a template and its facts."""

    template: str
    title: str
    facts: Mapping[str, object] = field(default_factory=dict)
    nav: str = "/"
    status: int = 200
    live: bool = True  # whether news of it are sent


View = Callable[[Desk, Query], Shown]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("semaphores.ui"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(url=address, bar=bar, nav=NAV, asset=_asset)
    return environment


@cache
def _asset(name: str) -> str:
    """Return the address of a file of ours; it changes with the file, so that it may be kept for long."""
    content = (files("semaphores.ui") / "static" / name).read_bytes()
    return f"/static/{name}?{sha256(content).hexdigest()[:12]}"


def fragment(desk: Desk, query: Query, shown: Shown, visitor: Pass) -> str:
    """Return the part of a view that lives on."""
    return _environment().get_template(shown.template).render(_facts(desk, query, shown, visitor))


def page(desk: Desk, query: Query, shown: Shown, visitor: Pass) -> HTMLResponse:
    """Return a whole page."""
    facts = _facts(desk, query, shown, visitor)
    content = _environment().get_template("layout.html").render(facts | {"note": desk.take_note(visitor.id)})
    return HTMLResponse(content.encode("utf-8", "replace"), shown.status)


def _facts(desk: Desk, query: Query, shown: Shown, visitor: Pass) -> dict[str, object]:
    connections = desk.client.connections
    common: dict[str, object] = {
        "view": shown,
        "query": query,
        "writes": desk.settings.allow_writes,
        "guarded": desk.settings.token is not None,
        "signed_in": visitor.known,
        "form": visitor.form,
        "namespace_name": connections.namespace,
        "server": connections.endpoint.redacted,
    }
    if common.keys() & shown.facts.keys():
        raise ValueError(f"a view has facts of other names than {', '.join(common)}")
    return {**shown.facts, **common}


def warm() -> None:
    """Compile all templates, so that no visitor waits for it."""
    for name in _environment().list_templates():
        _environment().get_template(name)
