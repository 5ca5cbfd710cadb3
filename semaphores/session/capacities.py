"""Capacities: what a session knows of the limits of its leases, to bring them back should the server lose its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Capacities"]


class Capacities:
    """Asked for with a beat: whenever the configuration changed, and at once for needs that were never held before."""

    def __init__(self) -> None:
        self.version = 0  # of the configuration, as the last beat told; 0 asks for the limits again
        self.newest = 0  # the highest version ever told: what a loss of data must not fall behind
        self.limits: dict[str, Mapping[str, str]] = {}  # name, capacity and info, by name
        self._needs: set[str] = set()  # whose limits were asked for

    def __repr__(self) -> str:
        return f"<Capacities of {len(self.limits)} limits, version {self.version}>"

    @property
    def asked(self) -> int:
        """How many different needs were ever held."""
        return len(self._needs)

    def hold(self, needs: str) -> bool:
        """Note needs that are held now; True when they are new: their limits could be lost any moment."""
        if needs in self._needs:
            return False
        self._needs.add(needs)
        self.version = 0
        return True

    def told(self, version: int, limits: Mapping[str, Mapping[str, str]], asked: int) -> None:
        """Take in what a beat was told. `asked`: how many different needs were held when it was sent."""
        if asked == self.asked:  # else something was granted meanwhile whose limits the answer does not tell
            self.version = version
        self.newest = max(self.newest, self.version)
        for name, limit in limits.items():
            self.limits[name] = {"limit": name, **limit}

    def to_reassert(self) -> Sequence[Mapping[str, str]]:
        """Return what is known of each limit: its name, capacity and info."""
        return list(self.limits.values())
