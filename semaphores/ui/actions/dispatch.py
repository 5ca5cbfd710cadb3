"""Dispatch: the one way in for forms: reads a bounded body, checks the form's token, does it, says what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from semaphores.errors import SemaphoresError
from semaphores.ui.actions import limits, runs
from semaphores.ui.actions.done import Done
from semaphores.ui.desk import Desk
from semaphores.ui.guard import visitor_of
from semaphores.ui.query import Query, local, parse
from semaphores.ui.rendering import Shown, page
from semaphores.ui.views.trouble import problem, status_of

__all__ = ["ACTIONS", "act", "read_form"]

MOST_BYTES = 4 * 1_048_576  # of a form: the arguments of a run may have 1 MB, thrice that when written as %XX

Action = Callable[[Desk, Mapping[str, str]], Done | Shown]

ACTIONS: Mapping[str, Action] = {
    "set-limit": limits.set_limit,
    "delete-limit": limits.delete_limit,
    "pause": limits.pause,
    "resume": limits.resume,
    "release": limits.release,
    "submit": runs.submit,
    "cancel": runs.cancel,
    "retry": runs.retry,
    "priority": runs.priority,
}


async def act(desk: Desk, request: Request, name: str) -> Response:
    """Do what a form asks for."""
    fields, visitor = await read_form(desk, request), visitor_of(request.scope)
    if name not in ACTIONS:
        raise HTTPException(404)
    done = await to_thread.run_sync(_do, desk, name, fields)
    if isinstance(done, Shown):
        query = Query(request.url.path, {})
        return await to_thread.run_sync(lambda: page(desk, query, done, visitor))
    desk.note(visitor.id, done.text)
    return RedirectResponse(done.address, 303)


async def read_form(desk: Desk, request: Request) -> dict[str, str]:
    """Return the fields of a form of ours. Raises HTTPException for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "this is not a form of this page")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "this form is too large")
    try:
        fields = parse(body.decode("ascii"))
    except ValueError:
        raise HTTPException(400, "this form cannot be read") from None
    if not desk.passes.is_form_of(visitor_of(request.scope), fields.pop("form", "")):
        raise HTTPException(403, "this form is too old, or not one of this page: open it again and send it once more")
    return fields


def _do(desk: Desk, name: str, fields: Mapping[str, str]) -> Done | Shown:
    try:
        return ACTIONS[name](desk, fields)
    except SemaphoresError as error:
        return problem(str(error), status_of(error), local(fields.get("back", "")))
    finally:
        desk.watch.stale()
