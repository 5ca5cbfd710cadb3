"""`semaphores doctor`: what does not agree in the namespace, what endangers its server, and its repair."""

from __future__ import annotations

from typing import Annotated

import typer

from semaphores.cli.meter import Meter
from semaphores.cli.render import json_text, line
from semaphores.cli.target import open_client
from semaphores.cli.tree import Json, Verb, single
from semaphores.client import Client
from semaphores.doctor import Finding

app = single()

PASSES = 3  # one repair may uncover what another hid


@app.command("doctor", cls=Verb)
def doctor(
    ctx: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended. Frees no living lease.")] = False,
    json: Json = False,
) -> int:
    """Find what is wrong in the namespace or endangers its server. Exit code 1 when errors are left."""
    with open_client(ctx) as client:
        findings = _examine(client)
        if repair:
            findings = _mend(client, findings, quiet=json)
        if json:
            print(json_text(findings))
        else:
            _tell(findings)
        return 1 if any(finding.severity == "error" for finding in findings) else 0


def _mend(client: Client, findings: tuple[Finding, ...], *, quiet: bool) -> tuple[Finding, ...]:
    for _ in range(PASSES):
        if not any(finding.repair for finding in findings):
            break
        mended = client.repair(findings)
        if not quiet:
            line(f"repaired {mended.done} findings")
            for failed in mended.failed:
                line(f"could not repair {failed}")
        findings = _examine(client)
    return findings


def _examine(client: Client) -> tuple[Finding, ...]:
    with Meter("stored things looked at") as meter:
        return client.examine(meter.tell)


def _tell(findings: tuple[Finding, ...]) -> None:
    order = {"error": 0, "warning": 1, "note": 2}
    for finding in sorted(findings, key=lambda one: order[one.severity]):
        line(str(finding))
    counts = {severity: sum(one.severity == severity for one in findings) for severity in order}
    if not findings:
        line("everything agrees, and nothing endangers it")
    else:
        said = ", ".join(f"{count} {word}{'s' if count != 1 else ''}" for word, count in counts.items() if count)
        mendable = any(finding.repair for finding in findings)
        line(f"{said}{'; semaphores doctor --repair mends what it can' if mendable else ''}")
