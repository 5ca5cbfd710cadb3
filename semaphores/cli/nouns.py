"""Nouns: the words of the command line, where each lives, and what the help says of it; none is imported to know that.

Other packages add theirs by entry points of the group `semaphores.nouns`: the name is `WORDS - HELP`, where the words
are a noun (`worker`) or a verb of a noun (`run execute`); the value is the module. They are looked at only for a word
that is none of ours, and for the help. What is ours cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

__all__ = ["GROUP", "NOUNS", "Word", "contributed", "contributed_nouns", "contributed_verbs"]

GROUP = "semaphores.nouns"


class Word(NamedTuple):
    """A word of the command line."""

    module: str  # has its application: `app`, or `apps` by word
    help: str


# In the order of the help.
NOUNS: Mapping[str, Word] = {
    word: Word(f"semaphores.cli.{module}", text)
    for word, module, text in (
        ("status", "status", "Show every limit: used, capacity, waiting, oldest wait."),
        ("pool", "pool", "Set, list, delete, pause and resume pools."),
        ("limit", "limit", "The same for every kind of limit: runs, pools and tags."),
        ("exec", "exec", "Run a command while holding slots."),
        ("lease", "lease", "Show who holds slots, and take them away by force."),
        ("why", "why", "Say what blocks a request, who holds that, and the position in line."),
        ("session", "session", "Show the processes that live in the namespace."),
        ("run", "run", "Submit, list, show, cancel, retry and re-prioritise runs; follow their logs."),
        ("job", "job", "Show the jobs that workers told of, and what their limits lack."),
        ("workers", "workers", "Show the processes that take runs."),
        ("audit", "audit", "Show who changed which limit, and forced releases."),
        ("validate", "config", "Check a configuration file."),
        ("diff", "config", "Show what applying a configuration file would change."),
        ("apply", "config", "Bring a configuration file into force."),
        ("init", "init", "Make a new namespace, without the grace."),
        ("doctor", "doctor", "Find what is wrong in the namespace or endangers its server, and repair it."),
        ("server", "server", "Start, stop and look at the embedded server."),
        ("ui", "ui", "Show limits, runs and workers as a live web page."),
        ("demo", "demo", "See it at work: index the standard library with several processes."),
    )
}


@cache
def contributed() -> Mapping[str, Word]:
    """Return what other packages add, by words; none of it is imported."""
    from importlib.metadata import entry_points

    points = ((point.name.partition(" - "), point.value) for point in entry_points(group=GROUP))
    return {words: Word(module, text) for (words, _, text), module in points if words not in NOUNS}


def contributed_nouns() -> dict[str, Word]:
    """Return the nouns among what other packages add."""
    return {words: word for words, word in contributed().items() if " " not in words}


def contributed_verbs(noun: str) -> dict[str, Word]:
    """Return the verbs that other packages add to a noun."""
    verbs = ((words.partition(" "), word) for words, word in contributed().items())
    return {verb: word for (of, _, verb), word in verbs if of == noun and verb}
