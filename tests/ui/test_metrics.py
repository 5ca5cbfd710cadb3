"""`/metrics` of the page: the same as a worker's, behind the same guard."""

from __future__ import annotations

from semaphores import Client
from semaphores.metrics.catalog import CATALOG
from semaphores.ui import PageSettings
from tests.metrics.scene import parsed
from tests.ui.scene import Scene
from tests.ui.visitor import Visitor, visiting

TOKEN = "0123456789abcdef0123"


def test_it_shows_the_namespace(reader: Visitor, scene: Scene, client: Client) -> None:
    answer = reader.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = parsed(answer.text)
    assert {name for name in found if name.startswith("semaphores_")} == set(CATALOG)
    full = client.limits.get("pool:database")
    assert found["semaphores_limit_used_slots"].value(limit="pool:database") == full.used
    assert found["semaphores_limit_waiting"].value(limit="pool:database") == full.waiting


def test_a_scraper_brings_the_token_and_a_stranger_sees_nothing(client: Client) -> None:
    with visiting(client, PageSettings(token=TOKEN)) as visitor:
        stranger = visitor.get("/metrics", status=303)
        assert "semaphores_" not in stranger.text
        assert "semaphores_up" in visitor.get("/metrics", authorization=f"Bearer {TOKEN}").text
