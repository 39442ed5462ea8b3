"""Plans, and what is looked for in manifests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toolkit import catalog, manifests, plan
from toolkit.manifests import Manifest, Target, VHive
from toolkit.plan import Plan
from toolkit.spec.model import Broker, ChainSpec, Edge, Function, Resources, Scale

IMAGE = "dev.local/sample:v1"
NAMESPACE = "space"
VARIANTS = ("knative", "vhive-env", "vhive-strict", "vhive-gvisor")
EVERY_KNOB: Mapping[str, Any] = {
    "scale": Scale(
        min=0,
        max=3,
        initial=1,
        activation=2,
        target=0.5,
        utilization=70,
        metric="concurrency",
        autoscaler="kpa",
        algorithm="weighted-exponential",
        window_s=60,
        panic_window=12.5,
        panic_threshold=200,
        down_delay_s=30,
        retention_s=1.5,
        burst=0,
    ),
    "concurrency": 1,
    "timeout_s": 600,
    "response_start_s": 20,
    "idle_s": 7,
    "resources": Resources({"cpu": "250m", "memory": "64Mi"}, {"cpu": "1", "memory": "1e9"}),
    "visibility": "cluster",
    "annotations": {"queue.sidecar.serving.knative.dev/cpu-resource-request": "10m"},
    "service_annotations": {"serving.knative.dev/rollout-duration": "10s"},
}


def chain(functions: Iterable[Function], edges: Iterable[Edge] = (), broker: Broker | None = None) -> ChainSpec:
    made = tuple(functions)
    return ChainSpec("sample", "", made[0].name, made, tuple(edges), broker, (), ".", "0" * 64)


def function(name: str = "entry", **more: Any) -> Function:
    return Function(name, f"handlers.py:{name}", more.pop("protocol", "h2c"), **more)


def shipped(name: str) -> Plan:
    return plan.make(catalog.load(name), name)


def lone(**more: Any) -> Plan:
    """A chain of one function."""
    return plan.make(chain([function(**more)]), "run-1")


def target(made: Plan, variant: str = "knative", **more: Any) -> Target:
    """Where golden files are rendered for."""
    own = {each.name: f"dev.local/sample-{each.name}:v1" for each in made.chain.functions}
    vhive = {
        "knative": None,
        "vhive-env": VHive(),
        "vhive-strict": VHive(profile="strict", images=own),
        "vhive-gvisor": VHive(sandbox="gvisor"),
    }[variant]
    return Target(**{"namespace": NAMESPACE, "image": IMAGE, "vhive": vhive, **more})


def render(made: Plan, variant: str = "knative", **more: Any) -> tuple[Manifest, ...]:
    return manifests.render(made, target(made, variant, **more))


def of_kind(kind: str, found: Sequence[Manifest]) -> list[Manifest]:
    return [each for each in found if each["kind"] == kind]


def service(found: Sequence[Manifest], name: str = "entry") -> Manifest:
    return next(each for each in of_kind("Service", found) if each["metadata"]["name"] == name)


def pod(manifest: Manifest) -> Any:
    return manifest["spec"]["template"]["spec"]


def container(manifest: Manifest) -> Any:
    (one,) = pod(manifest)["containers"]
    return one


def environment(manifest: Manifest) -> dict[str, str]:
    """What a process sees, after Kubernetes has expanded it."""
    return {each["name"]: expanded(each["value"]) for each in container(manifest).get("env") or ()}


def expanded(value: str, known: Sequence[str] = ()) -> str:
    """`Expand` of k8s.io/kubernetes/third_party/forked/golang/expansion, where no name of `known` is referred to."""
    made, at = "", 0
    while at < len(value):
        if value[at] != "$" or at + 1 == len(value):
            made, at = made + value[at], at + 1
        elif value[at + 1] == "$":
            made, at = made + "$", at + 2
        else:
            end = value.find(")", at) if value[at + 1] == "(" else -1
            assert end < 0, f"{value[at : end + 1]} would be replaced"
            assert value[at + 1].isascii(), "Kubernetes takes the next character apart into bytes"
            made, at = made + value[at : at + 2], at + 2
    return made


def wired(manifest: Manifest) -> Any:
    return json.loads(environment(manifest)["TOOLKIT_WIRING"])
