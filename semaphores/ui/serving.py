"""Serving: the page on a socket, by uvicorn, until it is told to end; pages that are open are let go first."""

from __future__ import annotations

import socket

import uvicorn

from semaphores.ui.app import WebPage

__all__ = ["PageServer"]

CLOSING = 3  # seconds for what is being answered when the server ends


class PageServer(uvicorn.Server):
    """Serves one page. `run` returns after SIGINT or SIGTERM, or when `should_exit` is set."""

    def __init__(self, page: WebPage) -> None:
        self._page = page
        super().__init__(
            uvicorn.Config(
                page,
                log_level="warning",
                log_config=None,  # how is for whoever started it: the command line, or the program that it is part of
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=CLOSING,
                lifespan="on",
                ws="none",
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: streams of news first, which would never end by themselves."""
        self._page.desk.closing = True
        await super().shutdown(sockets)
