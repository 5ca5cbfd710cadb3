"""Finding: what can be wrong, how bad it is, what it means, and which repair mends it. The one table of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["KINDS", "Finding", "Kind", "Mended"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    severity: Severity  # error: limits may be exceeded, or someone may wait for ever
    what: str  # a word: slots_missing
    key: str  # which key, without the namespace's prefix; a setting of the server
    detail: str  # one line: what it means, and what to do
    repair: bool  # whether `repair` mends it
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Mended:
    """What a repair did. Examine again: one repair may uncover what another hid."""

    done: int  # findings worked on
    failed: tuple[str, ...]  # one line each
    left: tuple[Finding, ...]  # what no repair can mend; each says what to do


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding; `repair` names what mends it, in the function `repair`."""

    severity: Severity
    detail: str  # may name facts: {name}, {limit}
    repair: str | None = None


KINDS: Mapping[str, Kind] = {
    "wrong_type": Kind("error", "is a {found}, not a {wanted}: it is deleted and built anew", "type"),
    "unknown_key": Kind("note", "is no key of ours: if nobody needs it, delete it"),
    "unreadable": Kind("error", "cannot be read: {detail}; see the other findings, repair those and examine again"),
    "broken": Kind("warning", "{name} could not be worked off: {detail}", "broken"),
    "meta_missing": Kind(
        "error", "is missing: a new epoch begins, with a grace in which holders bring back their leases", "meta"
    ),
    "meta_behind": Kind("error", "its {name} is behind what is stored: newcomers may pass those who wait", "meta"),
    "meta_asleep": Kind("error", "the reaper would look too late: what the dead held does not come back", "drain"),
    "limit_missing": Kind("error", "the capacity of {name} is missing: nothing limits it", "limit"),
    "info_missing": Kind("warning", "origin and description of {name} are missing; its description is lost", "limit"),
    "audit_missing": Kind("warning", "is missing: who changed which limit is lost; it begins anew", "audit"),
    "session_missing": Kind(
        "error", "is missing: what it holds would not come back; it gets a full ttl from now on", "session"
    ),
    "session_unindexed": Kind("error", "lacks session {name}: if it dies, its slots do not come back", "session"),
    "host_missing": Kind("warning", "lacks session {name}: its death would be noticed only after its ttl", "session"),
    "aside_differs": Kind(
        "warning",
        "session {name} does not say rightly whether requests stand aside; lost ones are asked again",
        "session",
    ),
    "slots_missing": Kind(
        "error", "lacks slots that lease {name} holds: more may be granted than the limit has", "lease"
    ),
    "timer_missing": Kind("warning", "lacks the end of the revoked lease {name}", "lease"),
    "slot_orphan": Kind(
        "error",
        "slot {member} has no lease record. That record cannot be rebuilt as it was (token and holder are lost):"
        " the holder's next beat is told so, and its slots come back; those of a living session stay taken until then",
        "orphan",
    ),
    "request_unfiled": Kind("error", "lacks the waiting request {name}: it would wait for ever", "request"),
    "member_orphan": Kind(
        "warning", "lacks the request {name} that a group names: its caller is told so by its next beat", "member"
    ),
    "group_empty": Kind("error", "no request of this group is filed; its line may stand still", "group"),
    "group_broken": Kind("error", "does not say what its requests need", "group"),
    "group_unplaced": Kind("error", "group {name} does not wait where it says: it would wait for ever", "group"),
    "place_unindexed": Kind("error", "lacks {name}, where someone waits: newcomers may pass them", "place"),
    "place_empty": Kind("error", "nobody waits here, though the index says so", "place"),
    "place_orphan": Kind("warning", "names the group {group}, which does not wait here", "place"),
    "run_missing": Kind("note", "its record is gone, what its ops told is left: that goes too", "run"),
    "run_broken": Kind("error", "lacks a part: it is filled in from its group or lease, else the run fails", "run"),
    "run_unindexed": Kind("warning", "is not right about run {name}: it is listed by its status", "run_index"),
    "run_unqueued": Kind("warning", "lacks queued run {name}: on_conflict and lists would not see it", "run_queued"),
    "queued_orphan": Kind("warning", "names run {name}, which is not queued there", "run_queued"),
    "run_unfiled": Kind("error", "waits in no line: it would wait for ever; it is filed in its order", "run_waiting"),
    "run_stranded": Kind("error", "waits for run {other}, which will not tell it when it ends", "run_waiting"),
    "run_leaseless": Kind(
        "error",
        "is in progress without its lease: a living worker gets it back, else the run goes back to its queue or ends",
        "run_lease",
    ),
    "run_timeless": Kind("warning", "lacks the end of run {name}: its time begins anew", "run_lease"),
    "lease_runless": Kind(
        "error", "does not know lease {name}, which is for it: its worker is told to stop", "lease_run"
    ),
    "take_unfiled": Kind("error", "lacks the free seat {name}: it would get no run", "take"),
    "take_orphan": Kind("warning", "names the free seat {name}, which is none there", "take_index"),
    "worker_unindexed": Kind("error", "lacks worker {name}: its queues look as if nobody served them", "worker"),
    "worker_orphan": Kind("warning", "names {name}, which does not say that it works there", "worker_index"),
    "code_missing": Kind(
        "error", "is missing: worker {name} would get no run; it is told so, and tells its jobs again", "jobs_of"
    ),
    "code_orphan": Kind("warning", "names the jobs of {name}, where nobody works any more", "code"),
    "job_unindexed": Kind("warning", "is not right about job {name}: what is known of it is listed", "job"),
    "line_unindexed": Kind("error", "is not right about {name}: free seats would pass its first run", "line"),
    "stalled": Kind("error", "its first request or run could go on, and nobody would try it", "drain"),
}
