"""Answers: what an unkind answer of a script means as an error. Pure."""

from __future__ import annotations

from semaphores.errors import AcquireTimeout, Holder, NotFound, Refused, SemaphoresError, ServerError, TooHeavy
from semaphores.scripts.call import Answer

__all__ = ["error_of", "timeout_of"]


def error_of(answer: Answer) -> SemaphoresError:
    """Return the error that an answer stands for."""
    kind = answer["answer"]
    if kind == "full":
        return timeout_of(answer, 0.0)
    if kind == "heavy":
        return TooHeavy(str(answer["limit"]), _int(answer["slots"]), _int(answer["capacity"]))
    if kind == "missing":
        return NotFound("limit" if "limit" in answer else "lease", str(answer.get("limit", answer.get("lease", ""))))
    if kind == "failed":
        return ServerError(f"the server failed: {answer.get('reason')}; 'semaphores doctor' finds what is wrong there")
    return Refused(str(answer.get("reason", kind)))


def timeout_of(answer: Answer, waited: float) -> AcquireTimeout:
    """Return the error of an acquire that got no slot: `answer` says what blocks it; `waited` in seconds."""
    holders = answer.get("holders")
    capacity = _int(answer.get("capacity", -1))
    return AcquireTimeout(
        str(answer.get("limit", "")),
        used=_int(answer.get("used", 0)),
        capacity=None if capacity < 0 else capacity,
        holders=tuple(
            Holder(str(one["lease"]), str(one["name"]), float(one["since"]), one.get("run"))
            for one in (holders if isinstance(holders, list) else ())
        ),
        position=_int(answer["position"]) if "position" in answer else None,
        waited=waited,
        grace=_float(answer.get("grace")),
        silent=_float(answer.get("silent")),
    )


def _int(value: object) -> int:
    return int(float(str(value)))


def _float(value: object) -> float | None:
    return None if value is None else float(str(value))
