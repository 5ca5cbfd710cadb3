"""The chart: rendered by a real helm where there is one (`make helm`), and checked against the schemas of Kubernetes.

Without helm what can be checked is: that it is complete, that values and schema agree, and that templates name values
that there are.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from semaphores.config.read import read_config
from semaphores.transport.url import parse_url
from workers.definitions import load

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm"
TEMPLATES = sorted((CHART / "templates").iterdir())
GUIDE = ROOT / "tests" / "examples" / "values.yaml"
HELM = os.environ.get("SEMAPHORES_TEST_HELM") or shutil.which(
    "helm", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
)
needs_helm = pytest.mark.skipif(HELM is None, reason="no helm is installed: `make helm` brings one")
Manifests = dict[tuple[str, str], dict[str, Any]]


def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return loaded


def schema() -> Draft7Validator:
    told = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    Draft7Validator.check_schema(told)
    return Draft7Validator(told)


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    return subprocess.run([HELM, *words], capture_output=True, text=True, check=False)


def rendered(*words: str) -> Manifests:
    done = helm("template", "demo", str(CHART), *words)
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def capacities(path: Path) -> dict[str, int]:
    return {name: limit.capacity for name, limit in read_config(str(path), {}).limits.items()}


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(manifest: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "from a secret") for one in container(manifest)["env"]}


# without helm


def test_the_chart_is_complete_and_its_values_are_what_its_schema_says() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert (chart["apiVersion"], chart["name"]) == ("v2", "semaphores")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{chart["appVersion"]}"' in project
    assert [error.message for error in schema().iter_errors(values())] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_names_values_that_there_are_and_closes_what_it_opens(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("{{") == text.count("}}")
    opened = re.findall(r"{{-? *(if|range|with|define|end)\b", text)
    assert opened.count("end") == len(opened) - opened.count("end")
    for dotted in re.findall(r"\.Values((?:\.\w+)+)", text):
        node: Any = values()
        for part in dotted.strip(".").split("."):
            assert part in node, f"values.yaml has no {dotted}"
            node = node[part]
    for name in re.findall(r'include "([^"]+)"', text):
        assert f'define "{name}"' in (CHART / "templates" / "_names.tpl").read_text("utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"worker": {}},
        {"valkey": {"url": "redis://me:secret@host:6379"}},
        {"valkey": {"url": "host:6379"}},
        {"valkey": {"password": "p@ss"}},
        {"workers": {"default": {"replicas": 1}}},
        {"page": {"token": "short"}},
        {"ttl": 90},
    ],
)
def test_mistyped_values_are_refused(wrong: dict[str, Any]) -> None:
    told = {
        **values(),
        **{
            key: {**values().get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in wrong.items()
        },
    }
    assert list(schema().iter_errors(told)), wrong


def test_values_of_the_guide_and_of_a_server_elsewhere_are_none_of_these() -> None:
    told = {**values(), **yaml.safe_load(GUIDE.read_text("utf-8")), "runLauncher": {"type": "K8sRunLauncher"}}
    for url in ("redis://host:6379/0", "rediss://me@host", "redis+sentinel://a:26379,b:26379/main", ""):
        told["valkey"] = {**values()["valkey"], "url": url}
        assert [error.message for error in schema().iter_errors(told)] == [], url


# with helm

WAYS = {
    "as it is": (),
    "everything": ("--set", "page.enabled=true,page.allowWrites=true,otel=true,page.allowHosts={a.example}"),
    "a server elsewhere": (
        "--set",
        "valkey.bundled=false,valkey.url=rediss://me@cache:6380/1,valkey.existingSecret=mine",
    ),
    "the guide": ("-f", str(GUIDE)),
}


@needs_helm
@pytest.mark.parametrize("way", WAYS)
def test_it_renders_what_kubernetes_takes(way: str) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="`make helm` brings the schemas of Kubernetes"
    ).validate
    for manifest in rendered(*WAYS[way]).values():
        validate(manifest, "1.30", strict=True)


@needs_helm
def test_helm_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@needs_helm
@pytest.mark.parametrize("way", WAYS)
def test_pods_have_no_rights_and_options_are_ones(way: str) -> None:
    for (kind, name), manifest in rendered(*WAYS[way]).items():
        if kind not in ("Deployment", "StatefulSet", "Job"):
            continue
        pod, only = manifest["spec"]["template"]["spec"], container(manifest)
        assert pod["securityContext"]["runAsNonRoot"], name
        assert only["securityContext"]["readOnlyRootFilesystem"], name
        word, *options = only.get("args", ["none"])
        if word == "worker":
            told = subprocess.run(
                [sys.executable, "-m", "semaphores", word, "--help"], capture_output=True, text=True, check=True
            )
            assert {one for one in options if one.startswith("--")} <= set(re.findall(r"--[a-z-]+", told.stdout))


@needs_helm
def test_the_password_is_in_its_secret_and_nowhere_else() -> None:
    found = rendered("--set", "valkey.password=s3cretword,page.enabled=true,page.token=t0kent0kent0kent0ken")
    told = base64.b64decode(found["Secret", "demo-valkey"]["data"]["password"]).decode()
    assert told == "s3cretword"
    rest = json.dumps([one for (kind, _), one in found.items() if kind != "Secret"])
    assert "s3cretword" not in rest
    assert "t0kent0ken" not in rest


@needs_helm
@pytest.mark.parametrize(
    ("url", "host"),
    [("", "demo-valkey"), ("rediss://me@cache:6380/1", "cache"), ("redis+sentinel://a:26379,b:26379/main", "a")],
)
def test_the_address_that_pods_get_is_one(url: str, host: str, tmp_path: Path) -> None:
    told = tmp_path / "values.yaml"
    told.write_text(yaml.safe_dump({"valkey": {"bundled": not url, "url": url, "password": "pw"}}))
    worker = rendered("-f", str(told))["Deployment", "demo-worker-default"]
    endpoint = parse_url(environment(worker)["SEMAPHORES_URL"].replace("$(VALKEY_PASSWORD)", "pw"))
    assert endpoint.hosts[0][0] == host
    assert endpoint.password == "pw"


@needs_helm
def test_the_guides_values_are_mounted_and_applied_as_the_limits_that_they_are(tmp_path: Path) -> None:
    found = rendered("-f", str(GUIDE))
    mounted = tmp_path / "semaphores.yaml"
    mounted.write_text(found["ConfigMap", "demo-config"]["data"]["semaphores.yaml"])
    assert capacities(mounted) == capacities(GUIDE)
    worker, apply = found["Deployment", "demo-worker-default"], found["Job", "demo-apply"]
    assert environment(worker)["SEMAPHORES_CONFIG"] == "/etc/semaphores/semaphores.yaml"
    assert container(apply)["args"] == ["apply", "/etc/semaphores/semaphores.yaml"]
    assert {"name": "config", "mountPath": "/etc/semaphores", "readOnly": True} in container(apply)["volumeMounts"]


@needs_helm
def test_the_server_keeps_its_data_and_a_worker_has_time_to_drain(tmp_path: Path) -> None:
    found = rendered()
    command = container(found["StatefulSet", "demo-valkey"])["command"][-1]
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert found["StatefulSet", "demo-valkey"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    worker = found["Deployment", "demo-worker-default"]
    args = container(worker)["args"]
    drain = int(args[args.index("--drain-timeout") + 1])
    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > drain
    jobs = tmp_path / "jobs.py"
    jobs.write_text(found["ConfigMap", "demo-jobs"]["data"]["jobs.py"])
    assert list(load(str(jobs)).jobs) == ["etl"]
