"""Server: the embedded one, which all processes of one user on one host share when no URL is given.

A real Valkey server on a Unix socket, started by whoever needs it first, outliving its starter. It holds an exclusive
lock on its folder for life: there is never a second one on the same data.
"""

from semaphores.server.embedded import EmbeddedServer, ServerStatus, ensure, status, stop, url
from semaphores.server.prompt import cli

__all__ = ["EmbeddedServer", "ServerStatus", "cli", "ensure", "status", "stop", "url"]
