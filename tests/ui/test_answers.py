"""Answers: the headers that every one carries, and that nothing of a name is ever HTML."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from semaphores import Client
from semaphores.ui import PageSettings
from semaphores.ui.query import address
from tests.ui.scene import Scene
from tests.ui.visitor import Visitor, plain, visiting

TOKEN = "0123456789abcdef0123"
TEMPLATES = Path(__file__).parents[2] / "semaphores" / "ui" / "templates"

PAUSE = {"name": "pool:database"}


def test_every_answer_says_what_browsers_may_do_with_it(visitor: Visitor, scene: Scene) -> None:
    answers = [visitor.get(path) for path in ("/", "/runs", "/login", "/healthy")]
    answers += [visitor.get("/no-such-page", status=404), visitor.get("/", status=421, host="evil.example")]
    answers += [visitor.post("pause", PAUSE), visitor.post("pause", {"form": ""}, status=403)]
    asset = re.search(r'href="(/static/page.css[^"]*)"', answers[0].text)
    assert asset is not None
    answers.append(visitor.get(asset[1]))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answers[0].headers["cache-control"] == "no-store"
    assert "immutable" in answers[-1].headers["cache-control"]


def test_routes_that_others_add_are_behind_the_same_guard(client: Client) -> None:
    def broken(request: Request) -> Response:
        raise RuntimeError("a secret")

    more = [Route("/version", lambda request: PlainTextResponse("1")), Route("/broken", broken)]
    with visiting(client, PageSettings(token=TOKEN), more) as visitor:
        visitor.get("/version", status=303)
        assert visitor.get("/version", authorization=f"Bearer {TOKEN}").text == "1"
        answer = visitor.get("/broken", status=500, authorization=f"Bearer {TOKEN}")
        assert "secret" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_server_does_not_say_what_it_is(listener: Visitor, scene: Scene) -> None:
    for path in ("/", "/healthy", "/no-such-page"):
        assert "server" not in listener.http.get(path).headers


def test_its_cookie_is_kept_from_scripts_and_other_sites(client: Client) -> None:
    with visiting(client) as visitor:
        cookie = visitor.get("/login").headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert "set-cookie" not in visitor.get("/login").headers, "once is enough"
        visitor.http.cookies.clear()
        answer = visitor.http.get("/login", headers={"x-forwarded-proto": "https"})
        assert "; Secure" in answer.headers["set-cookie"]


def test_no_template_has_script_or_style_in_its_text() -> None:
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|\|safe\b|Markup", text), (
            path
        )
        assert not re.search(r"https?://", text), f"{path} asks another host"


def test_hostile_names_are_text_everywhere(visitor: Visitor, scene: Scene, client: Client) -> None:
    paths = ["/", "/?show=all", "/runs", "/run?id=bad0000000000001", "/run?id=cccccccccccccccc", "/config", "/workers"]
    names = [limit.limit for limit in client.status()]
    for name in names:
        paths += [address("/limit", name=name), address("/edit", name=name)]
        paths.append(address("/confirm", what="delete", name=name))
    paths += ["/?q=<script>alert(1)</script>", "/runs?tag=<b>=<script>", "/limit?name=<script>", "/run?id=<script>x"]
    for path in paths:
        html = visitor.http.get(path, headers={"accept": "text/html"}).text
        assert not re.search(r"<script(?! type=\"module\" src=\"/static/)", html), path
        assert "<img" not in html, path
        assert "<b>bold" not in html, path
        assert "49 " not in plain(html).partition("it's")[2][:6], path
        assert "\u202e" not in html, f"{path}: text that turns around"
