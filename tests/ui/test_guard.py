"""The guard: who gets in, what may be changed by whom, and what every answer carries."""

from __future__ import annotations

import hmac
import time

import pytest

from semaphores import Client
from semaphores.errors import UsageError
from semaphores.ui import PageSettings
from semaphores.ui.app import VIEWS
from semaphores.ui.passes import LIFE, Passes
from semaphores.ui.query import local
from tests.ui.scene import Scene
from tests.ui.visitor import Visitor, visiting

TOKEN = "0123456789abcdef0123"

PAUSE = {"name": "pool:database"}


def paused(client: Client) -> bool:
    return client.limits.get("pool:database").paused


# Addresses and hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "example.com"])
def test_no_other_address_than_a_loopback_one_without_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="without a token"):
        PageSettings(host=host).check()
    PageSettings(host=host, token=TOKEN).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_need_no_token(host: str) -> None:
    PageSettings(host=host).check()


def test_a_token_that_can_be_guessed_is_refused_and_not_told() -> None:
    with pytest.raises(UsageError, match="at least 16") as raised:
        PageSettings(token="hunter2").check()
    assert "hunter2" not in str(raised.value)
    assert TOKEN not in repr(PageSettings(token=TOKEN))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8737", "127.0.0.1.evil.example", "10.1.2.3", ""])
def test_a_name_that_somebody_elses_dns_points_here_is_refused(reader: Visitor, host: str) -> None:
    answer = reader.get("/", status=421, host=host)
    assert "pool" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8737", "localhost:8737", "LOCALHOST", "[::1]:8737"])
def test_its_own_names_are_known(reader: Visitor, scene: Scene, host: str) -> None:
    reader.get("/", host=host)


def test_a_proxy_may_give_it_another_name(client: Client, scene: Scene) -> None:
    settings = PageSettings(names=frozenset({"Sem.example.com"}), allow_writes=True)
    with visiting(client, settings) as visitor:
        visitor.get("/", host="sem.example.com")
        visitor.get("/", status=421, host="other.example.com")
        headers = {"origin": "https://sem.example.com", "host": "sem.example.com"}
        visitor.post("pause", PAUSE, headers=headers)
    assert paused(client)


# Changes


def test_it_is_read_only_by_default(reader: Visitor, scene: Scene, client: Client) -> None:
    answer = reader.post("pause", PAUSE, status=403)
    assert "--allow-writes" in answer.text
    assert not paused(client)
    for path in ("/", "/limit?name=pool:database", "/run?id=cccccccccccccccc", "/edit", "/submit?job=etl"):
        assert '<form method="post"' not in reader.get(path).text, path


def test_a_form_without_its_token_changes_nothing(visitor: Visitor, scene: Scene, client: Client) -> None:
    for told in ("", "0" * 64, "é"):
        visitor.post("pause", {**PAUSE, "form": told}, status=403)
    assert not paused(client)
    visitor.post("pause", PAUSE)
    assert paused(client)


def test_the_form_token_of_another_visitor_is_worth_nothing(visitor: Visitor, scene: Scene, client: Client) -> None:
    theirs = visitor.form
    visitor.http.cookies.clear()
    visitor.post("pause", {**PAUSE, "form": theirs}, status=403)
    assert not paused(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(
    visitor: Visitor, scene: Scene, client: Client, headers: dict[str, str]
) -> None:
    visitor.post("pause", PAUSE, status=403, headers=headers)
    assert not paused(client)


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-origin"}, None])
def test_its_own_forms_pass(visitor: Visitor, scene: Scene, client: Client, headers: dict[str, str] | None) -> None:
    visitor.post("pause", PAUSE, headers=headers)
    assert paused(client)


def test_nothing_is_changed_by_a_get(visitor: Visitor, scene: Scene, client: Client) -> None:
    visitor.get(f"/do/pause?name=pool:database&form={visitor.form}", status=405)
    assert not paused(client)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(visitor: Visitor, method: str) -> None:
    assert visitor.http.request(method, "/").status_code == 405


def test_only_forms_are_read_and_only_small_ones(visitor: Visitor, scene: Scene, client: Client) -> None:
    told = {**PAUSE, "form": visitor.form}
    assert visitor.http.post("/do/pause", json=told, headers={"origin": visitor.address}).status_code == 415
    visitor.post("pause", {**PAUSE, "more": "x" * 5_000_000}, status=413)
    visitor.post("pause", {f"f{n}": "x" for n in range(500)}, status=400)
    visitor.post("nothing-of-the-kind", PAUSE, status=404)
    assert not paused(client)


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "\\/evil", "javascript:0"]
)
def test_nobody_is_sent_to_another_site(visitor: Visitor, scene: Scene, back: str) -> None:
    answer = visitor.post("pause", {**PAUSE, "back": back})
    assert answer.headers["location"] == "/limit?name=pool%3Adatabase"
    assert local("/runs?show=queue") == "/runs?show=queue"


# The token


def test_without_the_token_nothing_is_told(client: Client, scene: Scene) -> None:
    with visiting(client, PageSettings(token=TOKEN, allow_writes=True)) as visitor:
        for path in VIEWS:
            answer = visitor.get(path, status=303)
            assert answer.headers["location"].startswith("/login?back=%2F")
            visitor.get(f"/live{path}", status=401, accept="text/event-stream")
        visitor.post("pause", PAUSE, status=401)
        assert "database" not in visitor.get("/login").text
        visitor.get("/healthy")
    assert not paused(client)


def test_signing_in_with_the_token_opens_it_and_signing_out_closes_it(client: Client, scene: Scene) -> None:
    with visiting(client, PageSettings(token=TOKEN)) as visitor:
        visitor.get("/runs?show=queue", status=303)
        for wrong in ("", TOKEN[:-1], TOKEN + "x", "é" * 20):
            visitor.post("/login", {"token": wrong}, status=401)
            visitor.get("/", status=303)
        before = visitor.cookie
        answer = visitor.post("/login", {"token": TOKEN, "back": "/runs?show=queue"})
        assert answer.headers["location"] == "/runs?show=queue"
        assert visitor.cookie != before, "a pass from before signing in stays worthless"
        assert "database" in visitor.get("/").text
        assert TOKEN not in visitor.get("/").text + visitor.cookie
        visitor.post("/logout", {})
        visitor.get("/", status=303)


def test_programs_that_read_tell_the_token_itself(client: Client, scene: Scene) -> None:
    with visiting(client, PageSettings(token=TOKEN, allow_writes=True)) as visitor:
        visitor.get("/runs", authorization=f"Bearer {TOKEN}")
        visitor.http.cookies.clear()
        visitor.get("/runs", status=303, authorization="Bearer wrong")
        headers = {"authorization": f"Bearer {TOKEN}"}
        visitor.post("pause", PAUSE, status=401, headers=headers)
    assert not paused(client)


def test_signing_in_from_another_site_is_refused(client: Client) -> None:
    with visiting(client, PageSettings(token=TOKEN)) as visitor:
        visitor.post("/login", {"token": TOKEN}, status=403, headers={"origin": "https://evil.example"})
        visitor.post("/login", {"token": TOKEN, "form": ""}, status=403)


def test_a_pass_cannot_be_made_up_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    passes, now = Passes(TOKEN), time.time()
    visitor = passes.issue(now, known=True)
    assert passes.read(visitor.cookie, now) == visitor
    assert passes.read(visitor.cookie, now + LIFE + 1) is None
    assert not passes.issue(now).known
    name, _, issued, signature = visitor.cookie.split(".")
    stranger = passes.issue(now).cookie
    for forged in (None, "", "a.b.c", stranger.replace(".0.", ".1."), f"{name}.1.{int(issued) + 9}.{signature}"):
        assert passes.read(forged, now) is None
    assert Passes(TOKEN).read(visitor.cookie, now) is None, "another process has another key"


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def seen(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", seen)
    passes = Passes(TOKEN)
    visitor = passes.issue(0)
    passes.opens("x")
    passes.is_form_of(visitor, "x")
    passes.read(visitor.cookie, 0)
    assert compared == [TOKEN.encode(), visitor.form.encode(), visitor.cookie.rpartition(".")[2].encode()]
