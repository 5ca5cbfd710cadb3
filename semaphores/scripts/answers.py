"""Answers: what an answer of a script means: of a beat, or as an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semaphores.errors import AcquireTimeout, Holder, NotFound, Refused, SemaphoresError, ServerError, TooHeavy
from semaphores.scripts.call import Answer, Grant

__all__ = ["BeatAnswer", "beat_of", "error_of", "run_of", "timeout_of"]


@dataclass(frozen=True, slots=True)
class BeatAnswer:
    """What a beat is told of its window. Leases and requests by their N."""

    config: int  # version
    granted: Sequence[Grant]  # of what was awaited
    unknown: Sequence[int]  # to the server
    reassert: Sequence[int]  # the same, in a grace
    revoked: Mapping[int, str]  # by whom
    canceling: Mapping[int, str]  # by whom their runs are canceled
    limits: Mapping[str, Mapping[str, str]]  # capacity and info of those that the session holds, where they changed
    neighbours: Mapping[str, str]  # pids of other sessions of this host


def beat_of(answer: Answer) -> BeatAnswer:
    """Return what the answer of a beat says."""
    return BeatAnswer(
        config=_int(answer["config"]),
        granted=[Grant(_int(one["n"]), str(one["token"]), run_of(one)) for one in _maps(answer.get("granted"))],
        unknown=[_int(n) for n in _list(answer.get("unknown"))],
        reassert=[_int(n) for n in _list(answer.get("reassert"))],
        revoked={_int(one["n"]): str(one["by"]) for one in _maps(answer.get("revoked"))},
        canceling={_int(one["n"]): str(one["by"]) for one in _maps(answer.get("canceling"))},
        limits={name: _texts(limit) for name, limit in _map(answer.get("limits")).items()},
        neighbours=_texts(answer.get("neighbours")),
    )


def run_of(told: Answer) -> Mapping[str, str] | None:
    """Return the fields of the run that a take got, where there is one."""
    return _texts(told["run"]) if "run" in told else None


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


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _map(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[dict[str, object]]:
    return [_map(each) for each in _list(value)]


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(text) for name, text in _map(value).items()}


def _int(value: object) -> int:
    return int(float(str(value)))


def _float(value: object) -> float | None:
    return None if value is None else float(str(value))
