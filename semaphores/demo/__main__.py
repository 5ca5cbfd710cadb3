"""Run the demo as `python -m semaphores.demo`; `semaphores demo` is the same."""

import argparse
import sys

from semaphores.demo import run_demo
from semaphores.errors import SemaphoresError, UsageError

parser = argparse.ArgumentParser("semaphores demo")
parser.add_argument("--url")
parser.add_argument("--workers", type=int, default=6)
parser.add_argument("--files", type=int)
parser.add_argument("--keep", action="store_true")
parser.add_argument("--json", action="store_true")
given = parser.parse_args()
try:
    sys.exit(run_demo(url=given.url, workers=given.workers, files=given.files, keep=given.keep, as_json=given.json))
except SemaphoresError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2 if isinstance(error, UsageError) else 1)
