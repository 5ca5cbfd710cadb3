"""Scraping: `/metrics`, what Prometheus asks the page for; behind the guard, with `Authorization: Bearer TOKEN`."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from semaphores.metrics import Exporter
from semaphores.ui.desk import Desk

__all__ = ["routes"]


def routes(desk: Desk) -> Sequence[BaseRoute]:
    """Return the route of one page."""
    exporter = Exporter(desk.client)

    async def metrics(request: Request) -> Response:
        page = await to_thread.run_sync(exporter.text, request.headers.get("accept", ""))
        return Response(page.body, headers={"content-type": page.content_type})

    return [Route("/metrics", metrics)]
