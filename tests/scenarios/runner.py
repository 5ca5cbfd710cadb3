"""Runner: plays one scenario against a real server and compares, after each event, who is in progress and who waits.

Every event of the server grants in the same step, so nothing is waited for but the event's own end: what is right only
later is wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import redis
import yaml

from semaphores.apply import apply_config
from semaphores.config.read import parse_config
from semaphores.doctor import examine
from semaphores.errors import SemaphoresError
from semaphores.runs import RunDetails, RunSpec, RunView
from semaphores.scripts.asking import drive
from tests.scenarios.agreement import disagreements, wipe
from tests.scenarios.fleet import Fleet, Stage, Unsettled
from tests.scenarios.scenario import JobPlan, RunPlan, Scenario, Step, WorkerPlan
from tests.servers import Server
from workers.submit import run_spec

__all__ = ["ScenarioFailed", "play"]

UNTIL = 10.0  # seconds until something that takes time is missed
MOST_RUNS = 1000  # of a status
LONGEST = 600  # characters of a line about what differs
SHOWN = 2.0  # seconds until what an op waits for is told


class ScenarioFailed(AssertionError):
    """What was so, and what the scenario says."""


def play(scenario: Scenario, server: Server, namespace: str) -> None:
    """Play a scenario in a namespace that nobody uses. Raises ScenarioFailed."""
    logging.getLogger("workers").setLevel(logging.ERROR)  # a worker that is given up warns of each of its runs
    asyncio.run(_play(scenario, server, namespace))


async def _play(scenario: Scenario, server: Server, namespace: str) -> None:
    stage = Stage()
    plans = {"etl": JobPlan(), **scenario.jobs}
    fleet = Fleet(server.url, namespace, scenario.ttl, stage.jobs(plans))
    try:
        playing = _Playing(fleet, stage, plans)
        if scenario.config is not None:
            playing.apply(scenario.config)
        for name, worker in scenario.workers.items():
            await fleet.join(name, worker)
        await fleet.settle()
        for number, step in enumerate(scenario.steps, 1):
            where = f"{scenario}\nstep {number}, {step.event} {step.told}"[:LONGEST]
            await playing.carry_out(step, where)
            await playing.check(step, where)
            with redis.Redis(
                unix_socket_path=str(server.socket), decode_responses=True, encoding_errors="replace"
            ) as raw:
                problems = disagreements(raw, namespace)
            problems += [f"doctor: {finding}" for finding in drive(examine(), fleet.client.connections.ask)]
            if problems:
                raise ScenarioFailed("\n".join([where, "what is stored does not agree:", *problems]))
    finally:
        stage.clear()
        await fleet.close()
        with server.client() as raw:
            wipe(raw, namespace)


def _names(told: Any) -> Sequence[str]:
    return [told] if isinstance(told, str) else list(told)


@dataclass
class _Playing:
    """One scenario under way."""

    fleet: Fleet
    stage: Stage
    plans: Mapping[str, JobPlan]
    skipped: list[str] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)

    # events

    async def carry_out(self, step: Step, where: str) -> None:
        """Do what an event says, and see that it is refused if it is to be."""
        self.skipped = []
        doing: Callable[[Any], Any] = getattr(self, step.event)
        began = asyncio.get_running_loop().time()
        try:
            done = doing(step.told)
            if asyncio.iscoroutine(done):
                await done
        except (SemaphoresError, ValueError, Unsettled) as error:
            if step.refused is None or step.refused not in str(error):
                raise ScenarioFailed(f"{where}: {error}") from error
        else:
            if step.refused is not None:
                raise ScenarioFailed(f"{where}: it was not refused")
        took = asyncio.get_running_loop().time() - began
        if step.between is not None and not step.between[0] <= took <= step.between[1]:
            raise ScenarioFailed(f"{where}: it took {took:.2f} s, not {step.between}")
        try:
            await self.fleet.settle()
        except Unsettled as error:
            raise ScenarioFailed(f"{where}: {error}") from error

    def submit(self, told: Mapping[str, Mapping[str, Any] | None]) -> None:
        for name, given in told.items():
            plan = RunPlan(**(given or {}))
            submitted = self.fleet.client.runs.submit(self._spec(plan), run=name)
            if not submitted.queued:
                self.skipped.append(name)

    def _spec(self, plan: RunPlan) -> RunSpec:
        job = self.fleet.jobs[plan.job]
        spec = run_spec(
            job,
            tags=plan.tags,
            priority=plan.priority,
            queue=plan.queue,
            max_runtime=plan.max_runtime,
            on_conflict=plan.on_conflict,
            conflict_tag=plan.conflict_tag,
            location=plan.location,
        )
        return replace(spec, config=plan.config, max_attempts=plan.max_attempts or job.max_attempts)

    def finish(self, told: Any) -> None:
        for name in _names(told):
            self.stage.end(name, well=True)

    def fail(self, told: Any) -> None:
        for name in _names(told):
            self.stage.end(name, well=False)

    def cancel(self, told: Any) -> None:
        for name in _names(told):
            self.fleet.client.runs.cancel(name)

    def retry(self, told: Any) -> None:
        for name in _names(told):
            self.fleet.client.runs.retry(name)

    def priority(self, told: Mapping[str, int]) -> None:
        for name, priority in told.items():
            self.fleet.client.runs.set_priority(name, priority)

    def limit(self, told: Mapping[str, int]) -> None:
        for limit, capacity in told.items():
            self.fleet.client.limits.set(limit, capacity)

    def delete(self, told: Any) -> None:
        for limit in _names(told):
            self.fleet.client.limits.delete(limit)

    def pause(self, told: Any) -> None:
        for limit in _names(told):
            self.fleet.client.limits.pause(limit)

    def resume(self, told: Any) -> None:
        for limit in _names(told):
            self.fleet.client.limits.resume(limit)

    def apply(self, told: Mapping[str, Any]) -> None:
        config = parse_config(yaml.safe_dump(told), file="semaphores.yaml")
        apply_config(self.fleet.client, config)

    def prune(self, told: Mapping[str, Any]) -> None:
        config = parse_config(yaml.safe_dump(told), file="semaphores.yaml")
        apply_config(self.fleet.client, config, prune=True)

    async def join(self, told: Mapping[str, Mapping[str, Any] | None]) -> None:
        for name, plan in told.items():
            await self.fleet.join(name, WorkerPlan(**(plan or {})))

    async def drain(self, told: Any) -> None:
        for name in _names(told):
            self.fleet.drain(name)

    async def stop(self, told: Any) -> None:
        for name in _names(told):
            await self.fleet.stop(name)

    async def die(self, told: Any) -> None:
        for name in _names(told):
            await self.fleet.die(name)

    async def until(self, told: Mapping[str, str]) -> None:
        """Wait for what takes time: runs to have a status, and perhaps an attempt: STATUS/2."""
        give_up = asyncio.get_running_loop().time() + UNTIL
        while True:
            runs = {name: self.fleet.client.runs.get(name).run for name in told}
            found = {name: f"{run.status}/{run.attempt}" for name, run in runs.items()}
            if all(found[name].startswith(wanted) for name, wanted in told.items()):
                return
            if asyncio.get_running_loop().time() > give_up:
                raise ScenarioFailed(f"after {UNTIL:.0f} s: {found}, not {told}")
            await asyncio.sleep(0.01)

    async def until_ops(self, told: Sequence[str]) -> None:
        """Wait for what takes time: exactly these ops to be at work."""
        give_up = asyncio.get_running_loop().time() + UNTIL
        while sorted(self.stage.ops) != sorted(told):
            if asyncio.get_running_loop().time() > give_up:
                raise ScenarioFailed(f"after {UNTIL:.0f} s: {sorted(self.stage.ops)}, not {told}")
            await asyncio.sleep(0.01)

    # what must be so

    async def check(self, step: Step, where: str) -> None:
        """Compare what is with what a step says."""
        runs = {run.id: run for run in self.fleet.client.runs.list(most=MOST_RUNS)}
        found: dict[str, object] = {
            "running": sorted(name for name, run in runs.items() if run.in_progress),
            "waiting": self._waiting(runs, step),
            "ended": {name: runs[name].status if name in runs else "unknown" for name in step.ended},
            "skipped": self.skipped,
        }
        wanted: dict[str, object] = {
            "running": sorted(step.running),
            "waiting": dict(step.waiting),
            "ended": dict(step.ended),
            "skipped": list(step.skipped),
        }
        if step.ops is not None:
            found["ops"], wanted["ops"] = sorted(self.stage.ops), sorted(step.ops)
        if step.ops_waiting is not None:
            wanted["ops_waiting"] = dict(step.ops_waiting)
            found["ops_waiting"] = await self._ops_waiting(runs, step.ops_waiting)
        found["used"], wanted["used"] = self._used(step)
        if found != wanted:
            different = [key for key in found if found[key] != wanted[key]]
            lines = [f"  {key}: {found[key]}, wanted {wanted[key]}"[:LONGEST] for key in different]
            raise ScenarioFailed("\n".join([where, *lines]))

    def _waiting(self, runs: Mapping[str, RunView], step: Step) -> dict[str, str | None]:
        """Queued runs, and where they wait, for those whose place is asked for."""
        found: dict[str, str | None] = {}
        for name, run in runs.items():
            if run.status == "QUEUED":
                asked = step.waiting.get(name) is not None
                found[name] = _place(self.fleet.client.runs.get(name)) if asked else None
        return found

    async def _ops_waiting(self, runs: Mapping[str, RunView], wanted: Mapping[str, str]) -> dict[str, str]:
        """What the ops of runs in progress wait for, once it was told: a worker tells ten times a second."""
        give_up = asyncio.get_running_loop().time() + SHOWN
        while True:
            found = {
                f"{name}.{op.op}": op.limit or ""
                for name, run in runs.items()
                if run.in_progress
                for op in self.fleet.client.runs.get(name).ops
                if op.status == "WAITING"
            }
            if found == wanted or asyncio.get_running_loop().time() > give_up:
                return found
            await asyncio.sleep(0.01)

    def _used(self, step: Step) -> tuple[dict[str, object], dict[str, object]]:
        """Usage of the limits that a step names; and no limit is held above its capacity by a grant of this step."""
        limits = {limit.limit: limit for limit in self.fleet.client.limits.list() if not limit.is_rule}
        found: dict[str, object] = {name: limits[name].used if name in limits else 0 for name in step.used}
        wanted: dict[str, object] = dict(step.used)
        for name, limit in limits.items():
            most = max(limit.capacity or 0, self.used.get(name, 0) if limit.used <= self.used.get(name, 0) else 0)
            if limit.capacity is not None and limit.used > most and not step.over:
                found[f"{name} within its capacity"], wanted[f"{name} within its capacity"] = limit.used, limit.capacity
        self.used = {name: limit.used for name, limit in limits.items()}
        return found, wanted


def _place(details: RunDetails) -> str:
    """Where a queued run waits: a limit; `seat`: only a free worker is missing; `others`: those it replaces."""
    if details.run.after:
        return "others"
    kind, _, rest = (details.place or "nowhere:").partition(":")
    return rest if kind == "waiters" else "seat" if kind == "line" else details.place or "nowhere"
