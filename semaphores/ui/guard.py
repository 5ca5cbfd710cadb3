"""Guard: what every request passes before a view or an action sees it, and the headers that every answer carries.

Refuses: hosts that are not ours (DNS rebinding), methods but GET, HEAD and POST, posts from other origins, visitors
without a pass where a token is asked for, and all changes where the page is read-only.
"""

from __future__ import annotations

import time
from http.cookies import SimpleCookie
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semaphores.ui.desk import Desk
from semaphores.ui.passes import Pass
from semaphores.ui.query import address
from semaphores.ui.settings import split_host

__all__ = ["Guard", "cookie_name", "set_cookie", "visitor_of"]

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # for what does not know frame-ancestors
    "referrer-policy": "same-origin",  # no-referrer would make browsers hide the origin of our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
OPEN = ("/login", "/static/", "/healthy")  # without a pass: what signing in needs, and whether the page lives


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk = app, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, headers = time.perf_counter(), Headers(scope=scope)
        fresh, refusal = self._admit(scope, headers)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(MutableHeaders(scope=message), scope, headers, fresh, begun)
            await send(message)

        await (refusal or self.app)(scope, receive, send_on)

    def _admit(self, scope: Scope, headers: Headers) -> tuple[Pass | None, Response | None]:
        """Return a pass made for a new visitor, and the answer of a request that goes no further."""
        settings, path = self.desk.settings, scope["path"]
        if not settings.knows_host(headers.get("host", "")):
            return None, _refuse(421, "this page has another name: --allow-host tells it further ones")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return None, _refuse(405, "only GET, HEAD and POST are known here")
        now, fresh = time.time(), None
        visitor = self.desk.passes.read(_cookie(headers, cookie_name(settings.port)), now)
        if visitor is None:
            fresh = visitor = self.desk.passes.issue(now)
        scope["visitor"] = visitor
        if scope["method"] == "POST" and not _own_origin(headers):
            return None, _refuse(403, "this form came from another site")
        if not visitor.known and not path.startswith(OPEN) and not self._bearer(scope, headers):
            if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
                asked = scope["query_string"].decode("latin-1")
                back = f"{path}?{asked}" if asked else path
                return fresh, RedirectResponse(address("/login", back=back), 303)
            return None, _refuse(401, "sign in first, or send the token as 'Authorization: Bearer TOKEN'")
        if scope["method"] == "POST" and not settings.allow_writes and path not in ("/login", "/logout"):
            return fresh, _refuse(403, "this page is read-only: 'semaphores ui --allow-writes' lets it change things")
        return fresh, None

    def _bearer(self, scope: Scope, headers: Headers) -> bool:
        """Programs that read, such as one that gathers metrics, tell the token itself."""
        word, _, told = headers.get("authorization", "").partition(" ")
        return scope["method"] != "POST" and word.lower() == "bearer" and self.desk.passes.opens(told.strip())

    def _complete(
        self, answer: MutableHeaders, scope: Scope, headers: Headers, fresh: Pass | None, begun: float
    ) -> None:
        for name, value in HEADERS.items():
            answer[name] = value
        if not scope["path"].startswith("/static/"):
            answer["cache-control"] = "no-store"
        answer["server-timing"] = f"app;dur={(time.perf_counter() - begun) * 1000:.1f}"
        if fresh is not None and "set-cookie" not in answer:
            set_cookie(answer, fresh, self.desk.settings.port, headers)


def visitor_of(scope: Scope) -> Pass:
    """Return who asks."""
    found = scope["visitor"]
    assert isinstance(found, Pass)
    return found


def cookie_name(port: int) -> str:
    """Return the name of our cookie: ports of one host share their cookies, so it carries ours."""
    return f"semaphores_{port}"


def set_cookie(answer: MutableHeaders, visitor: Pass, port: int, asked: Headers) -> None:
    """Give a visitor a pass: no script reads it, no other site sends it."""
    secure = "; Secure" if asked.get("x-forwarded-proto", "") == "https" else ""
    answer.append("set-cookie", f"{cookie_name(port)}={visitor.cookie}; Path=/; HttpOnly; SameSite=Strict{secure}")


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except Exception:  # noqa: BLE001 - a cookie that cannot be read is none
        return None
    return found.value if found is not None else None


def _own_origin(headers: Headers) -> bool:
    """Whether a post comes from this page. Browsers tell the origin; where one does not, the form's token decides."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    scheme, _, host = origin.partition("://")
    return scheme in ("http", "https") and _with_port(host, scheme) == _with_port(headers.get("host", ""), scheme)


def _with_port(host: str, scheme: str) -> tuple[str, str]:
    name, port = split_host(host)
    return name, port or {"http": "80", "https": "443"}[scheme]


def _refuse(status: int, text: str) -> Response:
    return PlainTextResponse(text + "\n", status)
