"""The command line: which groups, how many rounds, and where the tables go.

Rounds are interleaved over all groups and places, so that a noisy minute touches all of them alike. Each group has a
new server each time: what another left in its memory must not count.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import crash, handoff, idle, importing, pair, queue_depth, runs, tasks, threads
from benchmarks.measure import TINY, Group, Site, Size
from benchmarks.places import Place, places
from benchmarks.report import Results, conditions, table
from benchmarks.server import binaries, run_server

PINNED: dict[str, Group] = {"pair": pair, "tasks": tasks, "handoff": handoff, "threads": threads, "runs": runs}
ANYWHERE: dict[str, Group] = {"crash": crash, "idle": idle, "importing": importing, "queue_depth": queue_depth}
GROUPS = {**PINNED, **ANYWHERE}
NOWHERE = Place("anywhere")  # figures that no core decides


def measure(binary: Path, size: Size, groups: Sequence[str], rounds: int) -> Results:
    """Take every figure of some groups, once a round and place."""
    results = Results()
    for round_ in range(rounds):
        for place in places():
            for name in (name for name in groups if name in PINNED):
                print(f"round {round_ + 1} of {rounds}, {place.name}: {name}", file=sys.stderr)
                with run_server(binary) as server, place.taken(server.pid):
                    results.add(name, place.name, PINNED[name].run(Site(server, size)))
    for name in (name for name in groups if name in ANYWHERE):
        print(name, file=sys.stderr)
        with run_server(binary) as server:
            results.add(name, NOWHERE.name, ANYWHERE[name].run(Site(server, size)))
    return results


def report(groups: Sequence[str], rounds: int, size: Size) -> str:
    """Measure on each server of this machine and return the tables."""
    parts = []
    for i, binary in enumerate(binaries()):
        chosen = [name for name in groups if i == 0 or getattr(GROUPS[name], "EVERY_SERVER", False)]
        if not chosen:
            continue
        with run_server(binary) as server:
            version = server.version
        print(f"on {version}", file=sys.stderr)
        results = measure(binary, size, chosen, rounds)
        parts += [f"### {version}", *(table(name, GROUPS[name].FIGURES, results) for name in chosen)]
    return "\n\n".join([conditions(rounds), *parts]) + "\n"


def main() -> None:
    """Measure and print; with --page, put the tables into that page, between its two marks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which medians are taken (default: 5)")
    parser.add_argument("--tiny", action="store_true", help="hardly any work: to see that it runs")
    parser.add_argument("--page", type=Path, help="a page to put the tables into, as docs/performance.md")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.groups if name not in GROUPS]
    if unknown:
        parser.error(f"there is no group {unknown[0]!r}: choose of {', '.join(GROUPS)}")
    if chosen.page and chosen.groups:
        parser.error("--page takes the tables of all groups: name none")
    if not binaries():
        parser.error("no server is installed here: name one in SEMAPHORES_TEST_SERVER")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server that was started ends too
    text = report(chosen.groups or list(GROUPS), chosen.rounds, TINY if chosen.tiny else Size())
    print(text)
    if chosen.page:
        page = chosen.page.read_text("utf-8")
        marked = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.DOTALL)
        chosen.page.write_text(marked.sub(lambda _: f"\n{text}\n", page), "utf-8")


if __name__ == "__main__":
    main()
