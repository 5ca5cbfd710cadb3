"""App: the page as an ASGI application: the list of its views and actions, behind the guard.

Whoever adds routes of another kind (`/metrics`) makes a function of the desk that returns them, and names it in `MORE`.
Such a route is behind the guard as all are: it is asked with a pass, or with `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from semaphores.client import Client
from semaphores.ui import scraping
from semaphores.ui.actions.dispatch import act
from semaphores.ui.actions.signing import show_login, sign_in, sign_out
from semaphores.ui.desk import Desk
from semaphores.ui.guard import Guard, visitor_of
from semaphores.ui.live import stream
from semaphores.ui.query import Query, parse
from semaphores.ui.rendering import View, page, warm
from semaphores.ui.settings import PageSettings
from semaphores.ui.views import concurrency, config, confirm, edit, jobs, limit, run, runs, submit, workers
from semaphores.ui.views.trouble import problem, safely

__all__ = ["MORE", "VIEWS", "WebPage", "make_app"]

VIEWS: Mapping[str, View] = {
    "/": concurrency.view,
    "/limit": limit.view,
    "/edit": edit.view,
    "/runs": runs.view,
    "/run": run.view,
    "/jobs": jobs.view,
    "/submit": submit.view,
    "/workers": workers.view,
    "/config": config.view,
    "/confirm": confirm.view,
}

MORE: list[Callable[[Desk], Sequence[BaseRoute]]] = [scraping.routes]


def make_app(client: Client, settings: PageSettings, more: Sequence[BaseRoute] = ()) -> WebPage:
    """Return the page of a client's namespace; `more` routes stand beside its own. Raises UsageError.

    It looks at the namespace from its lifespan's start to its end; the client stays its caller's.
    """
    settings.check()
    desk = Desk(client, settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await to_thread.run_sync(desk.watch.start)
        await to_thread.run_sync(warm)
        try:
            yield
        finally:
            await to_thread.run_sync(desk.watch.stop)

    routes: list[BaseRoute] = [Route(path, _shown(desk, view)) for path, view in VIEWS.items()]
    routes += [Route("/live" + path, _streamed(desk, view)) for path, view in VIEWS.items()]
    routes += [
        Route("/do/{action}", _acted(desk), methods=["POST"]),
        Route("/login", _with(desk, show_login)),
        Route("/login", _with(desk, sign_in), methods=["POST"]),
        Route("/logout", _with(desk, sign_out), methods=["POST"]),
        Route("/healthy", lambda request: PlainTextResponse("ok\n")),
        Mount("/static", _Files(directory=Path(__file__).parent / "static")),
    ]
    for make in MORE:
        routes += make(desk)
    return WebPage(desk, routes=[*routes, *more], exception_handlers={HTTPException: _failed(desk)}, lifespan=lifespan)


class WebPage(Starlette):
    """The application with its guard around everything, its own failures included."""

    def __init__(self, desk: Desk, **options: Any) -> None:
        self.desk = desk
        super().__init__(**options)

    def build_middleware_stack(self) -> ASGIApp:
        """Return what answers requests."""
        return Guard(super().build_middleware_stack(), self.desk)


_Endpoint = Callable[[Request], Awaitable[Response]]
_Handler = Callable[[Desk, Request], Awaitable[Response]]


def query_of(request: Request) -> Query:
    """Return what a request asks. Raises HTTPException for what cannot be read."""
    try:
        fields = parse(request.scope["query_string"].decode("latin-1"))
    except ValueError:
        raise HTTPException(400, "this address has too many fields") from None
    path = request.scope["path"]
    live = path.startswith("/live/")
    return Query((path.removeprefix("/live") or "/") if live else path, fields, live)


def _shown(desk: Desk, view: View) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        query, visitor = query_of(request), visitor_of(request.scope)
        return await to_thread.run_sync(lambda: page(desk, query, safely(view, desk, query), visitor))

    return endpoint


def _streamed(desk: Desk, view: View) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        query = query_of(request)
        return await stream(desk, view, query, request)

    return endpoint


def _acted(desk: Desk) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        return await act(desk, request, request.path_params["action"])

    return endpoint


def _with(desk: Desk, handler: _Handler) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        return await handler(desk, request)

    return endpoint


def _failed(desk: Desk) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = "there is no such page" if status == 404 else getattr(error, "detail", "this did not work")
        query = Query(request.url.path, {})
        return page(desk, query, problem(text, status), visitor_of(request.scope))

    return handle


class _Files(StaticFiles):
    """Files of ours: their address changes when they do."""

    def file_response(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Return a file that may be kept for long."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer
