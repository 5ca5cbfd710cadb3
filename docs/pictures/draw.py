"""Draw: pictures of the documentation, by the code that draws them in a terminal, of a real namespace: `make pictures`.

They name no font that would have to be fetched, and nothing in them is made up.
"""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text
from scene import scene

from semaphores.cli.live.screen import draw
from semaphores.cli.live.state import State, pressed
from semaphores.cli.live.watcher import Watcher
from semaphores.cli.render import table
from semaphores.cli.status import Status, limit_style, matters
from semaphores.client import Client

HERE = Path(__file__).parent
COLUMNS, LINES = 108, 16
NAME = "shop"  # of the namespace, in the pictures
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SEEN = 3.0  # seconds until the watcher saw a view


def main() -> None:
    """Draw all of them."""
    with scene() as client:
        save("status", f"semaphores --namespace {NAME} status", status(client))
        watcher = Watcher(client, "limits", 0.2)
        try:
            save("top-limits", "semaphores top", top(watcher, State()))
            keys = pressed(State(), "2", columns=1, rows=0, room=1)
            save("top-runs", "semaphores top, after 2", top(watcher, keys))
        finally:
            watcher.leave()


def status(client: Client) -> RenderableType:
    """Return what `semaphores status` prints."""
    found = Status(NAME, client.namespace(), client.status(), client.runs.counts())
    limits = [limit for limit in found.limits if matters(limit)]
    return Group(
        Text(found.headline(), style="dim"), Text(found.runs_line(), style="dim"), Text(""), table(limits, limit_style)
    )


def top(watcher: Watcher, state: State) -> RenderableType:
    """Return a screenful of `semaphores top`."""
    watcher.want(state.view)
    time.sleep(SEEN)
    return draw(NAME, state, watcher.seen, (COLUMNS, LINES))


def save(name: str, title: str, shown: RenderableType) -> None:
    """Write one picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(shown)
    svg = console.export_svg(title=title, unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]*;", f"font-family: {FONT};", svg)
    (HERE / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")
    print(f"drew docs/pictures/{name}.svg")


if __name__ == "__main__":
    main()
