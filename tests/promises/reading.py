"""Reading: drives reads and repairs over a plain connection, for tests of what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import redis

from semaphores.doctor import Finding, Mended, examine, repair
from semaphores.scripts.asking import Asking, Question, Reply, decode_reply, drive, encode_question
from semaphores.scripts.compose import Script, locate, read_script, repair_script
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
        return drive(asking, lambda question: self._send(read_script(), question))

    def examine(self) -> tuple[Finding, ...]:
        return self(examine())

    def repair(self, findings: tuple[Finding, ...]) -> Mended:
        return drive(repair(findings, ttl=self.calls.ttl), lambda question: self._send(repair_script(), question))

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
        return self._send(read_script(), question)

    def _send(self, script: Script, question: Question) -> Reply:
        self.asked += 1
        keys = self.calls.key("meta"), self.calls.key("never")
        try:
            reply = self.calls.connection.eval(script.text.decode(), 2, *keys, encode_question(question))
        except redis.ResponseError as error:
            raise redis.ResponseError(locate(script, str(error))) from error
        decoded = decode_reply(reply)
        self.most_rows = max(self.most_rows, *(len(value) for value in decoded.values() if isinstance(value, list)), 0)
        return decoded
