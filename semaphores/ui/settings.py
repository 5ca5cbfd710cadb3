"""Settings: how the page is served, and by which names of its host it may be called. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from semaphores.errors import UsageError

__all__ = ["PORT", "PageSettings", "is_loopback", "split_host"]

PORT = 8737
SHORTEST_TOKEN = 16  # characters: 64 bits even if they are hexadecimal digits


@dataclass(frozen=True, slots=True)
class PageSettings:
    """How the page is served. `check` before use."""

    host: str = "127.0.0.1"  # the address that is listened on
    port: int = PORT
    token: str | None = field(default=None, repr=False)  # that visitors sign in with
    allow_writes: bool = False
    names: frozenset[str] = frozenset()  # further host names it is called by, behind a proxy
    refresh: float = 0.4  # seconds between two looks of a page that is open: a change shows within two of them

    def check(self) -> None:
        """Raise UsageError for what would open the page to strangers."""
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise UsageError(
                f"the token of the page has {len(self.token)} characters, at least {SHORTEST_TOKEN} are needed:"
                " 'openssl rand -hex 16' makes one"
            )
        if self.token is None and not is_loopback(self.host):
            raise UsageError(
                f"the page is not opened on {self.host} without a token, since everybody could see it there:"
                " set SEMAPHORES_UI_TOKEN or --token, or leave it on 127.0.0.1"
            )

    def knows_host(self, header: str) -> bool:
        """Whether a Host header names this page: a name that a stranger's DNS points here is none of ours."""
        name, _ = split_host(header)
        if name in ("localhost", self.host.lower(), *(each.lower() for each in self.names)):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.host in ("0.0.0.0", "::")  # noqa: S104 - then each address is one of ours


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_host(header: str) -> tuple[str, str]:
    """Return name and port of a Host header, in lower case; the port is empty where there is none."""
    text = header.strip().lower()
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = text.partition(":")
    return name.removesuffix("."), port
