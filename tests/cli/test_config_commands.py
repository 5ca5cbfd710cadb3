"""What `validate`, `diff` and `apply` promise, and that a file's `redis:` section says where to go."""

from __future__ import annotations

import re
from pathlib import Path

from semaphores import Client
from tests.cli.commandline import CommandLine, keys, rows

FILE = """\
concurrency:
  runs:
    max_concurrent_runs: 10
  pools:
    limits:
      database: {limit: 5, description: one writer}
something_else: 1
"""


def written(folder: Path, text: str = FILE) -> str:
    path = folder / "semaphores.yaml"
    path.write_text(text)
    return str(path)


def test_a_good_file_is_valid_and_what_is_ignored_is_said(cli: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path)
    text = cli.ok("validate", path, env={"SEMAPHORES_URL": "redis://127.0.0.1:1"}).out
    assert "good, 2 limits" in text
    assert "ignored: something_else" in text
    told = cli.ok("validate", path, "--json").json
    assert isinstance(told, dict)
    assert (told["valid"], told["problems"]) == (True, [])


def test_every_mistake_is_told_with_its_line(cli: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, "concurrency:\n  pools:\n    default_limt: 3\n  runs:\n    max_concurrent_runs: many\n")
    done = cli.run("validate", path)
    first, second = done.err.splitlines()
    assert done.code == 1
    assert first.startswith(f"error: {path}:3: ")
    assert "did you mean 'default_limit'?" in first
    assert second.startswith(f"error: {path}:5: ")
    told = cli.run("validate", path, "--json")
    assert told.code == 1
    assert isinstance(told.json, dict)
    assert [row["line"] for row in rows(told.json["problems"])] == [3, 5]
    assert keys(rows(told.json["problems"])[0]) == {"file", "line", "path", "problem", "hint"}
    assert "2 more" not in cli.fails(2, "apply", path)
    assert "no such file" in cli.fails(2, "apply", str(tmp_path / "missing.yaml"))


def test_apply_does_what_diff_said_and_then_nothing(cli: CommandLine, client: Client, tmp_path: Path) -> None:
    path = written(tmp_path)
    client.limits.set("pool:byhand", 3)
    assert "add pool 'database': 5" in cli.ok("diff", path).out
    assert [limit.limit for limit in client.status()] == ["pool:byhand"]
    (change, *_) = (row for row in rows(cli.ok("diff", path, "--json").json) if row["kind"] == "add")
    assert keys(change) == {"limit", "before", "after", "kind"}
    applied = cli.ok("apply", path).out
    assert "add pool 'database': 5" in applied
    assert "keep pool 'byhand': 3, set by hand" in applied
    assert "2 changed" in applied
    assert {limit.limit: limit.capacity for limit in client.status()} == {
        "pool:byhand": 3, "pool:database": 5, "runs": 10,
    }  # fmt: skip
    assert "nothing to change" in cli.ok("apply", path).out


SETTINGS = """\
concurrency: {pools: {granularity: run}, runs: {max_concurrent_runs: 10}}
run_monitoring: {enabled: true, start_timeout_seconds: 90, cancel_timeout_seconds: 30.5, max_runtime_seconds: 3600}
"""


def test_settings_of_runs_are_told_counted_and_audited(cli: CommandLine, client: Client, tmp_path: Path) -> None:
    path = written(tmp_path, SETTINGS)
    assert "good, 1 limit and 4 settings" in cli.ok("validate", path).out
    changes = cli.ok("diff", path).out
    assert changes.splitlines() == [
        "set cancel timeout: 30.5 s",
        "set granularity: run",
        "set max runtime: 3600 s",
        "set start timeout: 90 s",
        "add runs: 10",
    ]
    told = rows(cli.ok("diff", path, "--json").json)
    assert told[1] == {"setting": "granularity", "before": None, "after": "run", "kind": "set"}
    assert keys(told[4]) == {"limit", "before", "after", "kind"}
    assert cli.ok("apply", path).out == f"{changes}applied 1 limit and 4 settings: 5 changed, version 1\n"
    assert "nothing to change" in cli.ok("apply", path).out
    assert client.namespace().settings == {
        "granularity": "run", "start_timeout": "90", "cancel_timeout": "30.5", "max_runtime": "3600",
    }  # fmt: skip
    audited = {str(row["what"]): row["after"] for row in rows(cli.ok("audit", "--json").json)}
    assert (audited["set granularity"], audited["set cancel_timeout"]) == ("run", "30.5")


def test_a_setting_that_the_file_no_longer_enables_goes(cli: CommandLine, client: Client, tmp_path: Path) -> None:
    cli.ok("apply", written(tmp_path, SETTINGS))
    path = written(tmp_path, SETTINGS.replace("enabled: true", "enabled: false").replace(": run}", ": op}"))
    assert cli.ok("apply", path).out.splitlines() == [
        "no cancel timeout any more (was 30.5 s)",
        "set granularity: run -> op",
        "no max runtime any more (was 3600 s)",
        "no start timeout any more (was 90 s)",
        "applied 1 limit and 1 setting: 4 changed, version 2",
    ]
    assert re.search(r"set start_timeout +90 +none ", cli.ok("audit").out)


def test_prune_deletes_what_a_file_once_set(cli: CommandLine, client: Client, tmp_path: Path) -> None:
    cli.ok("apply", written(tmp_path))
    smaller = written(tmp_path, "concurrency: {pools: {limits: {database: 5}}}\n")
    assert "--prune deletes it" in cli.ok("diff", smaller).out
    assert "delete runs" in cli.ok("apply", smaller, "--prune").out
    assert [limit.limit for limit in client.status()] == ["pool:database"]


def test_the_file_says_where_unless_options_or_environment_do(
    cli: CommandLine, client: Client, namespace: str, tmp_path: Path
) -> None:
    client.limits.set("pool:database", 5)
    url = cli.variables["SEMAPHORES_URL"]
    path = written(tmp_path, f"redis: {{url: '{url}', namespace: {namespace}, ttl: 5}}\n")
    bare = CommandLine({"XDG_STATE_HOME": str(tmp_path / "nothing-starts-here")})
    for words, env in ((("--config", path), {}), ((), {"SEMAPHORES_CONFIG": path})):
        assert '"pool:database"' in bare.ok("pool", "list", "--json", *words, env=env).out
    assert bare.ok("pool", "list", "--json", "--config", path, env={"SEMAPHORES_NAMESPACE": "other"}).json == []
    assert bare.ok("pool", "list", "--json", "--config", path, "--namespace", "other").json == []
    assert "nothing to change" in bare.ok("apply", path).out
    assert not (tmp_path / "nothing-starts-here").exists()


def test_without_a_file_it_says_how_to_name_one(cli: CommandLine) -> None:
    assert "which file?" in cli.fails(2, "validate")
