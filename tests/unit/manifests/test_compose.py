"""The Zipkin of compose.yaml is the one that `toolkit tracing setup` brings up: release, settings, limits, rights."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit import manifests
from toolkit.engines.tracestore import lens

FILE = Path(__file__).parents[3] / "compose.yaml"
STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
DURATION = {"type": "string", "pattern": r"^([0-9]+(us|ms|s|m|h))+$"}
SIZE = {"type": "string", "pattern": "^[0-9]+[bkmg]$"}
# What the Compose Specification (schema/compose-spec.json) says of the keys that are used here; it refuses others too.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "image": {"type": "string"},
                    "ports": STRINGS,
                    "environment": {"type": "object", "additionalProperties": {"type": "string"}},
                    "healthcheck": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "test": STRINGS,
                            "interval": DURATION,
                            "timeout": DURATION,
                            "retries": {"type": "integer"},
                            "start_period": DURATION,
                        },
                    },
                    "mem_limit": SIZE,
                    "pids_limit": {"type": "integer"},
                    "user": {"type": "string"},
                    "read_only": {"type": "boolean"},
                    "tmpfs": STRINGS,
                    "cap_drop": STRINGS,
                    "security_opt": STRINGS,
                    "restart": {"type": "string"},
                },
            },
        },
    },
}


@pytest.fixture
def zipkin() -> dict[str, Any]:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert list(document["services"]) == ["zipkin"]
    service: dict[str, Any] = document["services"]["zipkin"]
    return service


@pytest.fixture
def container() -> Any:
    deployment = next(each for each in manifests.tracing("space") if each["kind"] == "Deployment")
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    assert found["name"] == "zipkin"
    return found


def test_it_is_what_the_compose_specification_takes() -> None:
    wrong = Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    assert [each.message for each in wrong] == []


def test_compose_itself_takes_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run((docker, "compose", "version"), capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not here: its own judgement is not to be had")
    judged = subprocess.run(
        (docker, "compose", "--file", FILE, "config", "--quiet"), capture_output=True, text=True, check=False
    )
    assert (judged.returncode, judged.stderr) == (0, "")


def test_it_is_the_clusters_zipkin_in_everything_that_both_can_say(zipkin: dict[str, Any], container: Any) -> None:
    assert zipkin["image"] == container["image"] == manifests.Images().zipkin
    assert zipkin["environment"] == {each["name"]: each["value"] for each in container["env"]}
    assert zipkin["mem_limit"].replace("m", "Mi") == container["resources"]["limits"]["memory"]
    assert zipkin["user"].split(":")[0] == str(container["securityContext"]["runAsUser"])
    assert zipkin["cap_drop"] == container["securityContext"]["capabilities"]["drop"]
    assert zipkin["read_only"] == container["securityContext"]["readOnlyRootFilesystem"]
    assert zipkin["tmpfs"][0].split(":")[0] == container["volumeMounts"][0]["mountPath"]
    assert zipkin["ports"][0].split(":")[-1] == str(container["ports"][0]["containerPort"])


def test_it_listens_on_this_machine_only(zipkin: dict[str, Any]) -> None:
    assert all(each.startswith("127.0.0.1:") for each in zipkin["ports"])


def test_one_release_of_zipkin_is_named_everywhere() -> None:
    assert manifests.Images().zipkin.rpartition(":")[2] == lens.VERSION


def test_the_heap_has_room_for_the_spans_and_the_limit_for_the_heap(container: Any) -> None:
    settings = {each["name"]: each["value"] for each in container["env"]}
    assert "-Xmx2g " in settings["JAVA_OPTS"]
    assert (2 << 30) / int(settings["MEM_MAX_SPANS"]) > 4000  # bytes a span; measured: 3,100
    assert container["resources"]["limits"]["memory"] == "2560Mi"
