"""Knative's own schemas, out of its published Go modules, and what an API server that is strict says by them.

A CustomResourceDefinition's schema is structural: what it does not name is unknown, unless it says
`x-kubernetes-preserve-unknown-fields`. JSON Schema says the opposite, so each is rewritten
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
May not live here: what Knative's webhooks refuse beyond that, which the recorded verdicts and a real cluster tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from tests.cluster.running import run
from tests.cluster.versions import EVENTING, GO, SERVING
from toolkit.manifests import Manifest

FOLDERS = {SERVING: "config/core/300-resources", EVENTING: "config/core/resources"}
DOWNLOADED_WITHIN_S = 200.0
Schemas = Mapping[tuple[str, str], Draft202012Validator]

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_TEXT = {"type": "string"}
_METADATA = {
    "type": "object",
    "properties": {"name": _TEXT, "namespace": _TEXT, "labels": _TEXTS, "annotations": _TEXTS},
    "required": ["name"],
    "additionalProperties": False,
}  # an API server knows what metadata is without being told; this is as much of it as manifests say
_BOUNDS = {"int32": 2**31, "int64": 2**63}


def downloaded() -> Schemas:
    """A validator for each kind and version that Knative serves, by (apiVersion, kind).

    The modules are those of the test cluster, held by its go.sum. Raises ClusterError without Go, or when the modules
    are neither in Go's cache nor to be had.
    """
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    found: dict[tuple[str, str], Draft202012Validator] = {}
    for module, folder in FOLDERS.items():
        told = run("go", "mod", "download", "-json", module, cwd=GO, env=environment, within_s=DOWNLOADED_WITHIN_S)
        for file in sorted(Path(json.loads(told)["Dir"], folder).glob("*.yaml")):
            found.update(_of(file.read_text("utf-8")))
    return found


def _of(text: str) -> Iterator[tuple[tuple[str, str], Draft202012Validator]]:
    for crd in filter(None, yaml.safe_load_all(text)):
        group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
        for version in crd["spec"]["versions"]:
            if version["served"]:
                schema = _whole(version["schema"]["openAPIV3Schema"])
                yield (f"{group}/{version['name']}", kind), Draft202012Validator(schema)


def _whole(schema: Mapping[str, Any]) -> dict[str, Any]:
    made = strict(schema)
    made["properties"] = {**made.get("properties", {}), "apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
    return made


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON Schema, where what is not named is refused."""
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-") and key != "nullable"}
    if "properties" in schema:
        made["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        made["items"] = strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = strict(schema["additionalProperties"])
    elif schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = schema.get("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in made:
        made["type"] = [*([made["type"]] if isinstance(made["type"], str) else made["type"]), "null"]
    if (bound := _BOUNDS.get(schema.get("format", ""))) is not None:
        made = {"minimum": -bound, "maximum": bound - 1, **made}
    return made


def problems(schemas: Schemas, manifest: Manifest) -> list[str]:
    """What an API server would say, each with its place. Raises KeyError for a kind that is not Knative's."""
    validator = schemas[manifest["apiVersion"], manifest["kind"]]
    return [f"{each.json_path}: {each.message:.200}" for each in validator.iter_errors(manifest)]
