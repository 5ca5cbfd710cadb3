"""URL: where the server is, read from one line of text. Pure: nothing is looked up or connected here.

No error, text or repr made here ever holds a password; errors therefore repeat nothing of the text they refuse, since a
password with a stray '/', '?' or '@' may stand in any part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv6Address
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from semaphores.errors import InvalidUrl

__all__ = ["Endpoint", "Kind", "parse_url"]

Kind = Literal["single", "unix", "sentinel", "cluster"]

EXAMPLE = "redis://HOST:6379/0"
REDIS_PORT = 6379
SENTINEL_PORT = 26379
MAX_DATABASE = 2**31 - 1  # what SELECT takes
ENCODE = "percent-encode special characters of the password ('/' is %2F, '@' is %40, '%' is %25)"

_SCHEMES: dict[str, tuple[Kind, bool]] = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_MEANT = {
    "valkey": "redis",
    "valkeys": "rediss",
    "tcp": "redis",
    "http": "redis",
    "tls": "rediss",
    "https": "rediss",
    "sentinel": "redis+sentinel",
    "cluster": "redis+cluster",
    "redis+unix": "unix",
    "redis+socket": "unix",
    "file": "unix",
}
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_SERVICE = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Endpoint:
    """A server, or several that stand for one: how to reach it and as whom.

    `hosts` are (host, port) pairs, one for `single`, none for `unix`; `path` is the socket of `unix`; `service` is the
    name that Sentinel knows. User and password are for the data server. Text and repr hide the password.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        return self.redacted

    @property
    def redacted(self) -> str:
        """The address as one line, with `***` for a password."""
        scheme = next(name for name, meaning in _SCHEMES.items() if meaning == (self.kind, self.tls))
        user = quote(self.username or "", safe="")
        credentials = f"{user}:***@" if self.password is not None else f"{user}@" if user else ""
        if self.kind == "unix":
            query = f"?db={self.database}" if self.database else ""
            return f"unix://{credentials}{quote(self.path, safe='/', errors='surrogateescape')}{query}"
        hosts = ",".join(f"{_shown(host)}:{port}" for host, port in self.hosts)
        service = f"/{self.service}" if self.service else ""
        database = f"/{self.database}" if self.database else ""
        return f"{scheme}://{credentials}{hosts}{service}{database}"


def parse_url(text: str) -> Endpoint:
    """Read a server's address.

    `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS, `unix://[USER:PASSWORD@]/PATH[?db=DATABASE]`,
    `redis+sentinel://[...]HOST,HOST/SERVICE[/DATABASE]`, `redis+cluster://[...]HOST,HOST`, and both with `rediss+`.
    User and password are percent-decoded. Raises InvalidUrl, which never shows the address.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidUrl(f"the server's address is empty: give one such as {EXAMPLE}, or none for the embedded server")
    text = text.strip()
    if not text.isprintable() or " " in text:
        raise InvalidUrl(f"the server's address holds blanks or control characters: {ENCODE}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise InvalidUrl(f"the server's address has no scheme: write it as {EXAMPLE} or unix:///PATH")
    kind, tls = _meaning(scheme.lower())
    if "#" in rest:
        raise InvalidUrl(f"the server's address has a '#', which cannot stand there: {ENCODE}")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    if "@" in path:
        raise InvalidUrl(f"the server's address has an '@' after a '/': {ENCODE}")
    username, password = _credentials(credentials) if at else (None, None)
    from_query = _query(query)
    if kind == "unix":
        socket = _socket(hosts, slash + path)
        return Endpoint("unix", (), socket, "", username, password, from_query or 0)
    service, database = _service_and_database(kind, path, from_query)
    return Endpoint(kind, _hosts(kind, hosts), "", service, username, password, database, tls)


def _meaning(scheme: str) -> tuple[Kind, bool]:
    if scheme in _SCHEMES:
        return _SCHEMES[scheme]
    near = _MEANT.get(scheme) or next(iter(get_close_matches(scheme, _SCHEMES, 1, 0.6)), None)
    known = ", ".join(f"{name}://" for name in _SCHEMES)
    meant = f"; did you mean {near}://?" if near else ""
    raise InvalidUrl(f"the scheme of the server's address is not known{meant} (known are {known})")


def _credentials(text: str) -> tuple[str | None, str | None]:
    user, colon, password = text.partition(":")
    if not colon:
        raise InvalidUrl(
            "the server's address has one word before its '@': write USER:PASSWORD@, or :PASSWORD@ without a user"
        )
    if not user and not password:
        return None, None
    return _decoded(user) or None, _decoded(password)


def _decoded(text: str) -> str:
    if not _BAD_PERCENT.search(text):
        decoded = unquote_to_bytes(text).decode("utf-8", "replace")
        if "\ufffd" not in decoded:
            return decoded
    raise InvalidUrl(f"user or password of the server's address cannot be decoded: {ENCODE}")


def _query(text: str) -> int | None:
    if not text:
        return None
    name, _, value = text.partition("=")
    if name != "db":
        raise InvalidUrl(f"only ?db=DATABASE can follow the server's address; if that was a password, {ENCODE}")
    return _database(value)


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_DATABASE):
        raise InvalidUrl(f"the database of the server's address must be a number from 0, as in {EXAMPLE}")
    return int(text)


def _service_and_database(kind: Kind, path: str, from_query: int | None) -> tuple[str, int]:
    service, number = "", path.rstrip("/")
    if kind == "sentinel":
        service, _, number = number.partition("/")
        if not _SERVICE.fullmatch(service):
            raise InvalidUrl("a Sentinel address needs the name of its service: redis+sentinel://HOST,HOST/SERVICE")
    from_path = _database(number) if number else None
    if from_path is not None and from_query is not None and from_path != from_query:
        raise InvalidUrl("the server's address names two databases, one in its path and one in ?db=: keep one")
    return service, from_path or from_query or 0


def _socket(hosts: str, path: str) -> str:
    if hosts or len(path) < 2:
        raise InvalidUrl("a socket's address needs an absolute path after two slashes: unix:///PATH")
    decoded = unquote_to_bytes(path).decode("utf-8", "surrogateescape")
    if _BAD_PERCENT.search(path) or "\0" in decoded:
        raise InvalidUrl("the path of the socket's address cannot be decoded: write '%' in it as %25")
    return decoded


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    parts = text.split(",")
    if kind == "single" and len(parts) > 1:
        raise InvalidUrl("several hosts need redis+sentinel://HOST,HOST/SERVICE or redis+cluster://HOST,HOST")
    return tuple(_host(part, SENTINEL_PORT if kind == "sentinel" else REDIS_PORT) for part in parts)


def _host(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        host, bracket, after = text[1:].partition("]")
        host = host.replace("%25", "%")
        if not bracket or (after and not after.startswith(":")) or not _is_ipv6(host):
            raise InvalidUrl("the server's address has an IPv6 host that cannot be read: write it as [::1]:6379")
        return host, _port(after[1:], default_port) if after else default_port
    if text.count(":") > 1:
        raise InvalidUrl("an IPv6 host stands in brackets: redis://[::1]:6379 (or a ':' of the password is not %3A)")
    host, colon, port = text.partition(":")
    if not _HOST.fullmatch(host):
        raise InvalidUrl(
            f"the server's address needs a host of letters, digits, '.' and '-', as in {EXAMPLE}; {ENCODE}"
        )
    return host, _port(port, default_port) if colon else default_port


def _port(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise InvalidUrl(f"the port of the server's address must be a number from 1 to 65535; {ENCODE}")
    return int(text)


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return host.isprintable()


def _shown(host: str) -> str:
    return f"[{host.replace('%', '%25')}]" if ":" in host else host
