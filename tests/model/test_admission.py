"""The scripts admit exactly as the model does, whatever the history.

`SEMAPHORES_HISTORIES=5000` runs that many histories instead of the default.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Histories
from tests.model.run_machine import RunHistories
from tests.servers import Server

HISTORIES = int(os.environ.get("SEMAPHORES_HISTORIES", "0"))
# to find the shortest history that fails takes minutes: for whoever asked for a long run
PHASES = [Phase.generate, Phase.shrink] if HISTORIES else [Phase.generate]


def test_scripts_and_model_agree_on_runs_and_free_seats_too(server: Server) -> None:
    class OnServer(RunHistories):
        SERVER = server

    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=HISTORIES or 40,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
            database=None,
            derandomize=not HISTORIES,
        ),
    )
    assert OnServer.RESERVATIONS > 0, "no history was long enough for the starvation guard"


def test_scripts_and_model_agree_on_who_holds_and_who_waits_after_every_call(server: Server) -> None:
    class OnServer(Histories):
        SERVER = server

    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=HISTORIES or 60,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
            database=None,
            derandomize=not HISTORIES,  # the same histories each time, among them some that reach the starvation guard
        ),
    )
    assert OnServer.RESERVATIONS > 0, "no history was long enough for the starvation guard"
