"""Live: what changes is sent within a second, what does not is not sent."""

from __future__ import annotations

import time

from semaphores import Client
from tests.ui.scene import Scene
from tests.ui.visitor import Visitor, events, plain


def test_a_change_is_sent_within_a_second(listener: Visitor, scene: Scene, client: Client) -> None:
    stream = events(listener, "/live/")
    assert "only-now" not in next(stream)[1]
    for count, limit in enumerate(("pool:only-now", "pool:then-this")):
        client.limits.set(limit, 5 + count)
        begun = time.monotonic()
        while limit.partition(":")[2] not in next(stream)[1]:
            pass
        took = time.monotonic() - begun
        assert took < 1.0, f"{took:.2f} s"
    stream.close()


def test_each_view_has_its_news(listener: Visitor, scene: Scene, client: Client) -> None:
    for path, word in (
        ("/live/limit?name=pool:database", "host:1:alice"),
        ("/live/runs?show=queue", "cccccccccccccccc"),
        ("/live/run?id=0a0a0a0a0a0a0a0a", "reading 14 files"),
        ("/live/workers", "worker-host-3"),
        ("/live/config", "granularity"),
        ("/live/jobs", "The job etl."),
    ):
        stream = events(listener, path)
        event, html = next(stream)
        assert event == "page"
        assert word in plain(html)
        assert "<html" not in html
        stream.close()


def test_nothing_is_sent_while_nothing_changes(listener: Visitor, empty: Scene, client: Client) -> None:
    client.limits.set("pool:still", 1)
    stream = events(listener, "/live/?q=still")
    next(stream)
    begun = time.monotonic()
    client.limits.set("pool:still", 2)  # ends the wait
    while "/2" not in next(stream)[1]:
        pass
    time.sleep(1.5)
    client.limits.set("pool:still", 3)
    assert "/3" in next(stream)[1], "the next event is of the next change"
    assert time.monotonic() - begun < 4
    stream.close()


def test_what_is_gone_is_said(listener: Visitor, scene: Scene) -> None:
    assert next(events(listener, "/live/run?id=nobody"))[0] == "gone"


def test_a_new_line_of_a_log_is_shown_below_what_was_there(listener: Visitor, scene: Scene) -> None:
    stream = events(listener, "/live/run?id=0a0a0a0a0a0a0a0a")
    assert "a new line" not in next(stream)[1]
    scene.report("0a0a0a0a0a0a0a0a", "load", "OUT", "a new line")
    while "a new line" not in (page := next(stream)[1]):
        pass
    assert page.index("reading 14 files") < page.index("a new line")
    stream.close()
