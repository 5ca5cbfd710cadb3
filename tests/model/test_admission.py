"""The scripts admit exactly as the model does, whatever the history.

`SEMAPHORES_HISTORIES=5000` runs that many histories instead of the default.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Histories
from tests.servers import Server

HISTORIES = int(os.environ.get("SEMAPHORES_HISTORIES", "60"))


def test_scripts_and_model_agree_on_who_holds_and_who_waits_after_every_call(server: Server) -> None:
    class OnServer(Histories):
        SERVER = server

    run_state_machine_as_test(
        OnServer,
        settings=settings(
            max_examples=HISTORIES, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
