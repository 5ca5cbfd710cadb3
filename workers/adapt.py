"""Adapt: how much at once, by how busy this machine is."""

from __future__ import annotations

from collections.abc import Callable

from workers.errors import DefinitionError
from workers.op import check_whole

__all__ = ["limit_by_load"]


class _ByLoad:
    """Says how many may run now."""

    def __init__(self, counts: tuple[int, int, int], cpu: tuple[float, float], memory: tuple[float, float]) -> None:
        self._counts, self._cpu, self._memory = counts, cpu, memory
        import psutil  # only who asks for it pays for it

        self._measure: Callable[[], tuple[float, float]] = lambda: (
            psutil.cpu_percent(None),  # since the last call, in all the process: does not block
            psutil.virtual_memory().percent,
        )
        self._measure()  # the first answer of cpu_percent means nothing

    def __call__(self) -> int:
        """Return how many may run now."""
        return self.decide(*self._measure())

    def decide(self, cpu: float, memory: float) -> int:
        """Return how many may run at such a load of the processors and of the memory, in per cent."""
        low, normal, high = self._counts
        if cpu > self._cpu[1] or memory > self._memory[1]:
            return low
        return high if cpu < self._cpu[0] and memory < self._memory[0] else normal

    def __repr__(self) -> str:
        low, normal, high = self._counts
        return f"limit_by_load(low={low}, normal={normal}, high={high}, cpu={self._cpu}, memory={self._memory})"


def limit_by_load(
    low: int = 1,
    normal: int = 3,
    high: int = 5,
    cpu: tuple[float, float] = (50, 80),
    memory: tuple[float, float] = (60, 85),
) -> _ByLoad:
    """Make a function that says how many may run now, for max_concurrent= and for the concurrency of a worker.

    `cpu` and `memory` are the bounds in per cent of this machine: above either upper one it is `low`, below both lower
    ones `high`, else `normal`. Raises DefinitionError.
    """
    for what, count in (("low", low), ("normal", normal), ("high", high)):
        try:
            check_whole(what, count, 0, 1_000_000)
        except ValueError as error:
            raise DefinitionError(f"limit_by_load: {error}") from None
    for what, bounds in (("cpu", cpu), ("memory", memory)):
        if not (isinstance(bounds, tuple | list) and len(bounds) == 2 and 0 <= bounds[0] <= bounds[1] <= 100):
            raise DefinitionError(f"limit_by_load: {what} cannot be {bounds!r}: it must be two per cent, as (50, 80)")
    return _ByLoad((low, normal, high), (cpu[0], cpu[1]), (memory[0], memory[1]))
