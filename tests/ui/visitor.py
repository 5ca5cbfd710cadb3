"""Visitor: a browser without scripts: keeps cookies, sends forms with their token and origin, sees plain text."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html import unescape
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.routing import BaseRoute

from semaphores import Client
from semaphores.ui import PageSettings, make_app
from tests.ui.site import serve

ADDRESS = "http://127.0.0.1:8737"
HTML = {"accept": "text/html"}


@dataclass
class Waiting:
    """An asynchronous client, for those who wait."""

    portal: BlockingPortal
    http: httpx.AsyncClient

    @property
    def cookies(self) -> httpx.Cookies:
        return self.http.cookies

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        return self.portal.call(partial(self.http.request, method, url, **more))

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.request("POST", url, **more)


@dataclass
class Visitor:
    """Someone who looks at the page."""

    http: httpx.Client | Waiting
    address: str  # http://127.0.0.1:PORT

    @property
    def cookie(self) -> str:
        """What this visitor is known by."""
        return self.http.cookies[f"semaphores_{self.address.rpartition(':')[2]}"]

    def get(self, path: str, *, status: int = 200, **headers: str) -> httpx.Response:
        """Ask for a page; redirects are not followed."""
        answer = self.http.get(path, headers={**HTML, **headers}, follow_redirects=False)
        assert answer.status_code == status, (answer.status_code, answer.text[:500])
        return answer

    def text(self, path: str) -> str:
        """What a page says, without its tags."""
        return plain(self.get(path).text)

    @property
    def form(self) -> str:
        """The token of this visitor's forms."""
        found = re.search(r'name="form" value="([0-9a-f]{64})"', self.http.get("/login").text)
        assert found is not None
        return found[1]

    def post(
        self, action: str, fields: Mapping[str, str], *, status: int = 303, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a form as the page's own do."""
        told = {"form": self.form, **fields}
        answer = self.http.post(
            action if action.startswith("/") else f"/do/{action}",
            data=told,
            headers={"origin": self.address} if headers is None else dict(headers),
            follow_redirects=False,
        )
        assert answer.status_code == status, (answer.status_code, answer.text[:500])
        return answer


def events(visitor: Visitor, path: str, most: float = 15.0) -> Generator[tuple[str, str], None, None]:
    """The events of a stream, as they come, for `most` seconds."""
    deadline = time.monotonic() + most
    assert isinstance(visitor.http, httpx.Client), "what streams needs a socket"
    with visitor.http.stream("GET", path, timeout=20) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in stream.iter_lines():
            assert time.monotonic() < deadline, f"not within {most} s"
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


@contextmanager
def visiting(client: Client, settings: PageSettings | None = None, more: Sequence[BaseRoute] = ()) -> Iterator[Visitor]:
    """Open the page of a client for a visitor, in this process: the real application without a socket."""
    page = make_app(client, settings or PageSettings(), more)
    transport = httpx.ASGITransport(page, raise_app_exceptions=False)
    with start_blocking_portal() as portal:
        with portal.wrap_async_context_manager(page.router.lifespan_context(page)):
            with portal.wrap_async_context_manager(httpx.AsyncClient(transport=transport, base_url=ADDRESS)) as http:
                yield Visitor(Waiting(portal, http), ADDRESS)


@contextmanager
def listening(client: Client, settings: PageSettings | None = None) -> Iterator[Visitor]:
    """Open the page of a client on a real socket: what streams needs one."""
    with serve(client, settings) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        yield Visitor(http, address)


def plain(html: str) -> str:
    """What a reader sees of HTML, on one line."""
    body = re.sub(r"<(script|style|title)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())
