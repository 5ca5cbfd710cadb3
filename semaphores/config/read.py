"""Reading: a configuration file to a Config, or to errors that say file, line, path and what to do.

The stages, each a module: `tree` (YAML, lines), `sections` (which are ours), `interpolate` (the environment), `schema`
(shape and values), `gather` (limits by name). Whatever the file holds, ConfigError is the only error that leaves here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath

import yaml

from semaphores.config.gather import gather, run_settings
from semaphores.config.interpolate import interpolate
from semaphores.config.problem import Path, Problem, Unreadable, Value, path_text, shown
from semaphores.config.schema import Document, validate
from semaphores.config.sections import Sections, find_sections
from semaphores.config.settings import Config, RedisSettings, RunMonitoring
from semaphores.config.tree import Tree, compose
from semaphores.errors import ConfigError

__all__ = ["parse_config", "problems", "read_config"]

MAX_SIZE = 1_000_000  # bytes: 10,000 limits with descriptions; beyond it this is no configuration file

# Read so that published files load, and without effect here: why.
_UNUSED = {
    ("concurrency", "pools", "op_granularity_run_buffer"): "pools never hold back a run at granularity op",
    ("run_queue", "dequeue_interval_seconds"): "runs are granted at once, nothing polls",
    ("run_queue", "dequeue_use_threads"): "runs are granted at once, nothing polls",
    ("run_queue", "dequeue_num_workers"): "workers say themselves how much they run",
    ("run_queue", "max_user_code_failure_retries"): "a run goes to workers that have its code",
    ("run_queue", "user_code_failure_retry_delay"): "a run goes to workers that have its code",
    ("run_queue", "block_op_concurrency_limited_runs"): "concurrency.pools.granularity decides it",
    ("run_monitoring", "max_resume_run_attempts"): "the attempts of a run are given with its job",
    ("run_monitoring", "poll_interval_seconds"): "time limits are kept without polling",
    ("run_monitoring", "cancellation_thread_poll_interval_seconds"): "cancelling is pushed, nothing polls",
    ("run_monitoring", "free_slots_after_run_end_seconds"): "slots are free at the moment a run ends or dies",
}


def read_config(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file.

    `environment` is what `${VAR}` refers to; without it, that of this process. Raises ConfigError for the first
    mistake in the file, saying how many more there are; `problems` gives all of them.
    """
    return _only(*_examine_file(path, environment))


def parse_config(text: str, *, file: str = "", environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration from its text; `file` is what errors call it. Otherwise as `read_config`."""
    return _only(*_examine(text, file, environment))


def problems(path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> list[ConfigError]:
    """Return every mistake in a configuration file, in the order of their lines; none when it can be used."""
    return _examine_file(path, environment)[1]


def _only(config: Config | None, errors: list[ConfigError]) -> Config:
    if config is not None:
        return config
    first = errors[0]
    if len(errors) == 1:
        raise first
    more = f"{len(errors) - 1} more {'problems' if len(errors) > 2 else 'problem'} in this file"
    hint = f"{first.hint}; {more}" if first.hint else more
    raise ConfigError(first.problem, file=first.file, line=first.line, path=first.path, hint=hint)


def _examine_file(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None
) -> tuple[Config | None, list[ConfigError]]:
    file = os.fspath(path)
    try:
        text = _text_of(file)
    except ConfigError as error:
        return None, [error]
    return _examine(text, file, environment)


def _text_of(file: str) -> str:
    try:
        with FilePath(file).open("rb") as opened:
            content = opened.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=file, hint="check its name, or SEMAPHORES_CONFIG") from None
    except IsADirectoryError:
        raise ConfigError("this is a folder", file=file, hint="name the file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"cannot be read: {reason}", file=file) from None
    if len(content) > MAX_SIZE:
        hint = "a configuration file is smaller; is it this one?"
        raise ConfigError(f"larger than {MAX_SIZE} bytes", file=file, hint=hint)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("not valid UTF-8", file=file, line=line, hint="save it as UTF-8") from None


def _examine(text: str, file: str, environment: Mapping[str, str] | None) -> tuple[Config | None, list[ConfigError]]:
    """Return the configuration, or None and every mistake in it."""
    tree = Tree()
    found: list[Problem] = []
    config: Config | None = None
    try:
        config = _config(text, file, os.environ if environment is None else environment, tree, found)
    except Unreadable as unreadable:
        found.append(unreadable.problem)
    errors = [
        ConfigError(
            problem.text,
            file=file,
            line=tree.line(problem.path) if problem.line is None else problem.line,
            path=path_text(problem.path),
            hint=problem.hint,
        )
        for problem in [*tree.problems, *found]
    ]
    return (None, sorted(errors, key=lambda error: error.line or 0)) if errors else (config, [])


def _config(text: str, file: str, environment: Mapping[str, str], tree: Tree, found: list[Problem]) -> Config | None:
    root = compose(text)
    if root is None or (isinstance(root, yaml.ScalarNode) and tree.value(root, ()) is None):
        return Config(file)
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else shown(str(root.value))
        raise Unreadable(Problem((), f"must be a mapping of sections, not {kind}", "begin with 'concurrency:'", line=1))
    sections = find_sections(root, tree, found)
    given = _values(sections, tree, environment, found)
    unset = {problem.path for problem in found}  # what has no value yet is not complained of a second time
    misfits: list[Problem] = []
    document = validate(given, sections.base, tree.lines, misfits)
    found += [problem for problem in misfits if problem.path not in unset]
    if document is None:
        return None
    limits = gather(document, sections.base, tree.line, found)
    monitoring, redis = document.run_monitoring, document.redis
    return Config(
        file,
        limits=limits,
        granularity=document.concurrency.pools.granularity,
        run_monitoring=RunMonitoring(
            monitoring.enabled,
            monitoring.start_timeout_seconds,
            monitoring.cancel_timeout_seconds,
            monitoring.max_runtime_seconds,
        ),
        settings=run_settings(document),
        redis=RedisSettings(redis.url, redis.namespace, redis.ttl),
        ignored=(*sections.ignored, *_unused(document, sections.base)),
    )


def _values(sections: Sections, tree: Tree, environment: Mapping[str, str], found: list[Problem]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for name, node in sections.ours.items():
        path = (*sections.base, name)
        line = tree.lines.get(path)
        given[name] = interpolate(tree.value(node, path), environment, path, found)
        if line is not None:
            tree.lines[path] = line
    return given


def _unused(document: Document, base: Path) -> list[str]:
    unused = []
    for path, reason in _UNUSED.items():
        section: object = document
        for name in path[:-1]:
            section = getattr(section, name)
        if path[-1] in getattr(section, "model_fields_set", ()):
            unused.append(f"{path_text((*base, *path))}: {reason}")
    return unused
