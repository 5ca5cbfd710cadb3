"""Live: the news of a view as server-sent events: its HTML whenever it differs from what was sent last.

What differs only in how long ago things were is sent every two seconds. Events: `page` (HTML as JSON), `gone` (what was
shown is no more), `trouble` (why nothing new is known; the last state stays).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from semaphores.errors import NotFound, SemaphoresError
from semaphores.ui.desk import Desk
from semaphores.ui.guard import visitor_of
from semaphores.ui.passes import Pass
from semaphores.ui.query import Query
from semaphores.ui.rendering import View, fragment

__all__ = ["stream"]

MOST_STREAMS = 200
AGES_EVERY = 2.0  # seconds
ALIVE_EVERY = 5.0  # seconds: a comment, by which it is noticed that nobody listens any more
LIFE = 900.0  # seconds of one stream: the browser then asks again, and shows its pass again
RETRY = "retry: 300\n\n"  # milliseconds until it does
_AGE = re.compile(r"<time\b[^>]*>[^<]*</time>")


async def stream(desk: Desk, view: View, query: Query, request: Request) -> Response:
    """Return the news of a view, until whoever listens goes away."""
    if desk.streams >= MOST_STREAMS:
        return PlainTextResponse("too many pages are open\n", 503, {"retry-after": "30"})
    return StreamingResponse(_events(desk, view, query, visitor_of(request.scope)), media_type="text/event-stream")


async def _events(desk: Desk, view: View, query: Query, visitor: Pass) -> AsyncIterator[str]:
    desk.streams += 1
    try:
        sent, bare, at = "", "", 0.0
        ends = time.monotonic() + LIFE
        yield RETRY
        while not desk.closing and time.monotonic() < ends:
            event, text = await to_thread.run_sync(_look, desk, view, query, visitor)
            now = time.monotonic()
            stripped = _AGE.sub("", text)
            if stripped != bare or (text != sent and now - at >= AGES_EVERY):
                yield f"event: {event}\ndata: {json.dumps(text)}\n\n"
                sent, bare, at = text, stripped, now
            elif now - at >= ALIVE_EVERY:
                yield ": still here\n\n"
                at = now
            await anyio.sleep(desk.settings.refresh)
    finally:
        desk.streams -= 1


def _look(desk: Desk, view: View, query: Query, visitor: Pass) -> tuple[str, str]:
    try:
        return "page", fragment(desk, query, view(desk, query), visitor)
    except NotFound as error:
        return "gone", str(error)
    except SemaphoresError as error:
        return "trouble", str(error)
