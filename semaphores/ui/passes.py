"""Passes: who a visitor is, and that a form is one of ours: signed cookies and form tokens. Pure.

A cookie is `ID.KNOWN.ISSUED.SIGNATURE`; `KNOWN` says that the token of the page was told. The key lives as long as the
process: a restart asks everybody again. Every comparison takes as long whatever is compared.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes, token_hex

__all__ = ["Pass", "Passes"]

LIFE = 12 * 3600  # seconds: a working day


@dataclass(frozen=True, slots=True)
class Pass:
    """A visitor. `form` is the token that their forms carry."""

    id: str
    known: bool  # they told the page's token
    form: str
    cookie: str


class Passes:
    """Issues and reads passes of one page."""

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._key = token_bytes(32)

    def issue(self, now: float, *, known: bool = False) -> Pass:
        """Return a new pass."""
        return self._pass(f"{token_hex(16)}.{int(known)}.{int(now)}")

    def read(self, cookie: str | None, now: float) -> Pass | None:
        """Return the pass that a cookie is; None for one that is not ours, or too old."""
        facts, _, signature = (cookie or "").rpartition(".")
        if not facts or not _same(signature, self._sign("cookie", facts)):
            return None
        issued = int(facts.rpartition(".")[2])
        return self._pass(facts) if 0 <= now - issued <= LIFE else None

    def opens(self, told: str) -> bool:
        """Whether this is the page's token."""
        return self._token is not None and _same(told, self._token)

    def is_form_of(self, visitor: Pass, told: str) -> bool:
        """Whether a form was given to this visitor by us."""
        return _same(told, visitor.form)

    def _pass(self, facts: str) -> Pass:
        name, known, _ = facts.split(".")
        form = self._sign("form", name)
        return Pass(name, known == "1" or self._token is None, form, f"{facts}.{self._sign('cookie', facts)}")

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), sha256).hexdigest()


def _same(told: str, wanted: str) -> bool:
    return hmac.compare_digest(told.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass"))
