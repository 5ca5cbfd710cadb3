"""Site: the real page, served by uvicorn on a free loopback port, in a thread of the test's process."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

from semaphores import Client
from semaphores.ui import PageSettings, make_app
from semaphores.ui.serving import PageServer


@contextmanager
def serve(client: Client, settings: PageSettings | None = None) -> Iterator[str]:
    """Serve the page of a client while the block runs; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = PageServer(make_app(client, replace(settings or PageSettings(), port=port)))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive(), "the server ended at once"
            assert time.monotonic() < deadline
            time.sleep(0.01)  # uvicorn tells nobody that it is ready
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
