"""Testing: a real server that is thrown away after a test, for the tests of code that uses this library.

`semaphores.testing.plugin` makes fixtures of it, which pytest finds by itself; without pytest, `throwaway_server` and
`fresh_client` do the same in a `with`. Invariant: importing this costs nothing, as every run of pytest does it.
"""

from __future__ import annotations

from semaphores.testing.server import ThrowawayServer, fresh_client, throwaway_server

__all__ = ["ThrowawayServer", "fresh_client", "throwaway_server"]
