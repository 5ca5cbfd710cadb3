"""Ui: the web page of a namespace. It shows what `client` tells, by the functions that the command line uses.

It reads no key of the server itself. Nothing but the command line imports this room: it needs the extra `ui`.
"""

from semaphores.ui.app import make_app
from semaphores.ui.settings import PageSettings

__all__ = ["PageSettings", "make_app"]
