"""Jobs to begin with: what docker-compose.yml and the chart run until you name your own."""

import time

from workers import job, op


@op(pool="database")
def extract(rows: int = 1000) -> int:
    """Read so many rows, a few at once on all hosts together."""
    time.sleep(rows / 1000)
    return rows


@op
def load(extract: int) -> str:
    """Write them."""
    return f"{extract} rows"


@job(ops=[extract, load], tags={"team": "growth"})
def etl() -> None:
    """Load a day."""
