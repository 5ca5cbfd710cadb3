"""Reading: drives reads and repairs over a plain connection, for tests of what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from semaphores.doctor import Finding, Mended, examine, repair
from semaphores.scripts.asking import Asking, Question, Reply, decode_reply, drive, encode_question
from tests.lua.harness import Calls

T = TypeVar("T")


@dataclass
class Reading:
    """The read side of one namespace. `asked` counts questions; `most_rows` is the longest list of a reply."""

    calls: Calls
    asked: int = 0
    most_rows: int = 0

    def __call__(self, asking: Asking[T]) -> T:
        """Run a read."""
        return drive(asking, lambda question: self._send("read", question))

    def examine(self) -> tuple[Finding, ...]:
        return self(examine())

    def repair(self, findings: tuple[Finding, ...]) -> Mended:
        return drive(repair(findings, ttl=self.calls.ttl), lambda question: self._send("repair", question))

    def mend(self, passes: int = 3) -> tuple[Finding, ...]:
        """Repair until nothing is found or nothing more can be done; returns what is left."""
        for _ in range(passes):
            findings = self.examine()
            if not any(finding.repair for finding in findings):
                return findings
            mended = self.repair(findings)
            assert mended.failed == (), mended.failed
        return self.examine()

    def ask(self, question: Question) -> Reply:
        return self._send("read", question)

    def _send(self, function: str, question: Question) -> Reply:
        self.asked += 1
        decoded = decode_reply(self.calls.run(function, encode_question(question)))
        self.most_rows = max(self.most_rows, *(len(value) for value in decoded.values() if isinstance(value, list)), 0)
        return decoded
