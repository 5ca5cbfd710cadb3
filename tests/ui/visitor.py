"""Visitor: a browser without scripts: keeps cookies, sends forms with their token and origin, sees plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape

import httpx

from semaphores import Client
from semaphores.ui import PageSettings
from tests.ui.site import serve

HTML = {"accept": "text/html"}


@dataclass
class Visitor:
    """Someone who looks at the page."""

    http: httpx.Client
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


@contextmanager
def visiting(client: Client, settings: PageSettings | None = None) -> Iterator[Visitor]:
    """Open the page of a client for a visitor."""
    with serve(client, settings) as address, httpx.Client(base_url=address, trust_env=False, timeout=30) as http:
        yield Visitor(http, address)


def plain(html: str) -> str:
    """What a reader sees of HTML, on one line."""
    body = re.sub(r"<(script|style|title)\b.*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())
