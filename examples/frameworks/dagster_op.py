"""Ops of a Dagster job that share a limit with whatever else uses the warehouse, also outside of Dagster.

    semaphores pool set warehouse 1
    dagster job execute -f dagster_op.py -j load_all

Dagster's own pools count its own ops, and a crashed run keeps its slots until somebody frees them. These are given back
within the ttl of whoever held them.
"""

import time

from dagster import OpExecutionContext, job, op

from semaphores import pool


@op(config_schema={"seconds": float})
def load(context: OpExecutionContext) -> None:
    """Stand in for a statement of which the warehouse takes one at a time."""
    with pool("warehouse", timeout=120) as lease:
        context.log.info("began %s", time.monotonic())
        time.sleep(context.op_config["seconds"])
        lease.guard()
        context.log.info("ended %s", time.monotonic())


@job(config={"ops": {name: {"config": {"seconds": 0.2}} for name in ("orders", "customers", "items")}})
def load_all() -> None:
    """Load three tables, each in a process of its own."""
    for table in ("orders", "customers", "items"):
        load.alias(table)()
