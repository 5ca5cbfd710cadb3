"""Signing: telling the page its token, and leaving. Signing in gives a new pass: one that was given before is worth
nothing afterwards."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from semaphores.ui.actions.dispatch import read_form
from semaphores.ui.desk import Desk
from semaphores.ui.guard import set_cookie, visitor_of
from semaphores.ui.query import Query, local, parse
from semaphores.ui.rendering import Shown, page

__all__ = ["show_login", "sign_in", "sign_out"]


async def show_login(desk: Desk, request: Request) -> Response:
    """Return the form that asks for the token."""
    back = local(parse(request.scope["query_string"].decode("latin-1")).get("back", ""))
    return _form(desk, request, back)


async def sign_in(desk: Desk, request: Request) -> Response:
    """Take the token, and let the visitor in."""
    fields = await read_form(desk, request)
    back = local(fields.get("back", ""))
    if not desk.passes.opens(fields.get("token", "").strip()):
        return _form(desk, request, back, "this is not the token that the page was started with")
    answer = RedirectResponse(back, 303)
    set_cookie(answer.headers, desk.passes.issue(time.time(), known=True), desk.settings.port, request.headers)
    return answer


async def sign_out(desk: Desk, request: Request) -> Response:
    """Take the visitor's pass away."""
    await read_form(desk, request)
    answer = RedirectResponse("/login", 303)
    set_cookie(answer.headers, desk.passes.issue(time.time()), desk.settings.port, request.headers)
    return answer


def _form(desk: Desk, request: Request, back: str, problem: str = "") -> Response:
    facts = {"back": back, "problem": problem}
    shown = Shown("login.html", "Sign in", facts, nav="", status=401 if problem else 200, live=False)
    return page(desk, Query("/login", {}), shown, visitor_of(request.scope))
