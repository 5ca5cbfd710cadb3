"""Jobs of the scene: they are at work for as long as somebody looks."""

import time

from workers import Definitions, in_process, job, op


@op(pool="reports")
def work() -> None:
    """Go on and on."""
    time.sleep(3600)


@job(ops=[work])
def nightly() -> None:
    """Stand for what runs every night."""


@job(name="import", ops=[work])
def import_() -> None:
    """Stand for what brings data in."""


definitions = Definitions(jobs=[nightly, import_], executor=in_process(), location="shop")
