"""Call: one attempt of one op, as it is handed to what carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from workers.context import Context
from workers.executor.protocol import Rest
from workers.job import Job, Step
from workers.packing import pack, unpack

__all__ = ["Call", "Carrier", "OpFailed", "result_name"]


@dataclass(slots=True)
class Call:
    """One attempt of one op."""

    job: Job
    step: Step
    context: Context
    results: Mapping[str, bytes]  # of the ops that are over, packed
    args: Mapping[str, object]  # of the run
    rest: Rest  # seconds for which it may certainly go on

    def arguments(self) -> dict[str, object]:
        """Return what its function is called with."""
        step = self.step
        given = {name: unpack(self.results[name]) for name in step.inputs}
        for each in step.arguments:
            if each.name in self.args:
                given[each.name] = self.args[each.name]
        return given

    def packed_arguments(self) -> dict[str, bytes]:
        """Return the same, each one packed. Raises NotPackable."""
        step = self.step
        given = {name: self.results[name] for name in step.inputs}
        for each in step.arguments:
            if each.name in self.args:
                given[each.name] = pack(self.args[each.name], f"argument {each.name!r} of op {step.op.name!r}")
        return given


class Carrier(Protocol):
    """Carries out ops in one way."""

    async def __call__(self, call: Call) -> bytes:
        """Return the packed result. Raises OpFailed, NotPackable, or what the op raised; ends the op when cancelled."""


class OpFailed(Exception):
    """Report that an op failed where its exception cannot come from. `trace`: the lines of its traceback."""

    def __init__(self, line: str, trace: list[str] | None = None) -> None:
        self.line, self.trace = line, trace or []
        super().__init__(line)


def result_name(op: str) -> str:
    """Return how an error names the result of an op."""
    return f"the result of op {op!r}"
