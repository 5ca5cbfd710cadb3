"""docker-compose.yml and Dockerfile: what they promise. No engine runs here: nothing is built, the file is checked
against the published schema.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from jsonschema.validators import validator_for

from semaphores.transport.url import parse_url
from tests.servers import NO_RETRY, Server, server_binary
from workers.definitions import load

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
SEMAPHORES = (sys.executable, "-m", "semaphores")
REQUIRED = "${SEMAPHORES_PASSWORD:?"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return loaded


def schema() -> Any:
    """The Compose specification's schema, as check-jsonschema ships it."""
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    return json.loads((folder / "compose-spec.json").read_text())


def problems(document: dict[str, Any]) -> list[str]:
    published = schema()
    kind = validator_for(published)
    kind.check_schema(published)
    return [f"{error.json_path}: {error.message}" for error in kind(published).iter_errors(document)]


def test_it_is_a_valid_compose_file(compose: dict[str, Any]) -> None:
    assert problems(compose) == []


def test_the_schema_would_notice_a_mistake(compose: dict[str, Any]) -> None:
    broken = {**compose, "services": {"valkey": {**compose["services"]["valkey"], "healthchek": {}}}}
    assert problems(broken)


def test_nothing_is_published_but_the_page_and_that_to_this_machine_with_a_token(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert service.get("network_mode") != "host", name
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert published == {"page": ["127.0.0.1:8737:8737"]}
    assert services["page"]["environment"]["SEMAPHORES_UI_TOKEN"].startswith("${SEMAPHORES_UI_TOKEN:?")


def test_the_server_keeps_its_data_and_drops_no_key(compose: dict[str, Any]) -> None:
    command = compose["services"]["valkey"]["command"][-1]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    volume, target = compose["services"]["valkey"]["volumes"][0].split(":")
    assert f"--dir {target}" in command
    assert volume in compose["volumes"]


def test_the_password_comes_from_the_environment_and_is_required(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["valkey"]["environment"]["VALKEY_PASSWORD"].startswith(REQUIRED)
    for name in ("init", "worker", "page"):
        assert REQUIRED in services[name]["environment"]["SEMAPHORES_URL"]
    for name, service in services.items():
        assert "SEMAPHORES_PASSWORD" not in json.dumps(service["command"]), f"{name} shows it in the list of processes"


def test_the_project_starts_once_the_server_is_healthy_and_the_namespace_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert "ping" in services["valkey"]["healthcheck"]["test"][1]
    assert services["init"]["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    for name in ("worker", "page"):
        assert services[name]["depends_on"] == {"init": {"condition": "service_completed_successfully"}}
    url = services["worker"]["environment"]["SEMAPHORES_URL"]
    endpoint = parse_url(url[: url.index("${")] + "secret" + url[url.index("}") + 1 :])
    assert (endpoint.hosts, endpoint.password) == ((("valkey", 6379),), "secret")


def test_there_are_two_workers_and_their_options_are_ones(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert worker["deploy"]["replicas"] == 2
    for name, service in compose["services"].items():
        if name == "valkey":
            continue
        word, *options = service["command"]
        if word == "ui" and find_spec("semaphores.ui") is None:
            continue
        told = subprocess.run([*SEMAPHORES, word, "--help"], capture_output=True, text=True, check=True).stdout
        for option in (one for one in options if one.startswith("--")):
            assert option in told, f"{word} has no {option}"


def test_nothing_of_ours_runs_as_root_or_writes_into_its_image(compose: dict[str, Any]) -> None:
    for name in ("init", "worker", "page"):
        service = compose["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    assert "USER 10001" in lines[last:]


def test_the_image_is_built_from_files_and_extras_that_there_are() -> None:
    text = DOCKERFILE.read_text("utf-8")
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in (ROOT / ".dockerignore").read_text("utf-8"), f"{source} is kept from the builder"
    (extras,) = re.findall(r"redis-semaphores\[([\w,]+)\]", text)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(extras.split(",")) - {"ui"} <= set(known)


def test_the_jobs_it_begins_with_can_be_loaded(compose: dict[str, Any]) -> None:
    folder = compose["services"]["worker"]["volumes"][0].partition(":-")[2].partition("}")[0]
    assert list(load(str(ROOT / folder / "jobs.py")).jobs) == ["etl"]


def test_the_servers_command_really_starts_one_that_asks_for_the_password(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    """Run the file's own shell command, on this machine's server instead of the image's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "valkey-server").symlink_to(server_binary().resolve())
    (tmp_path / "data").mkdir()
    there = Server(tmp_path)  # for its free port
    command = compose["services"]["valkey"]["command"][-1].rstrip().replace("$$", "$")
    command = command.replace("/data", str(tmp_path / "data")).replace("/tmp/password", str(tmp_path / "password"))
    command += f" --bind 127.0.0.1 --port {there.port}"
    shell = shutil.which("sh")
    assert shell
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "VALKEY_PASSWORD": "s3cret"}
    process = subprocess.Popen([shell, "-ec", command], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("Ready to accept connections" in line for line in process.stdout)
        with redis.Redis(port=there.port, password="s3cret", decode_responses=True) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            pid = client.info("server")["process_id"]
            assert pid == process.pid, "the server itself hears SIGTERM, not a shell before it"
            shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True)
            assert "s3cret" not in shown.stdout
        with redis.Redis(port=there.port, retry=NO_RETRY) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        process.terminate()
        process.communicate(timeout=10)
