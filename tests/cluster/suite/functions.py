"""Functions of a chain as Knative Services, wired by environment, in pods that meet the "restricted" standard.

May live here: manifests. May not: requests to the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.suite.api import Manifest
from toolkit import catalog, plan
from toolkit.contract import READY_PATH, WIRING, Wiring

RUN = "suite"
PORT = 8080
CONTAINER = "user-container"
SERVICE_LABEL = "serving.knative.dev/service"
AUTOSCALING = "autoscaling.knative.dev"
DRAIN_S = 30  # Knative's `timeoutSeconds` of a pod, and so how long a pod may take to leave
RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the functions of one chain run: their namespace and image, and who takes their receipts."""

    namespace: str
    image: str
    receipts: str | None = None  # tcp://HOST:PORT


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas, and how soon fewer; the defaults keep one for as long as a test runs."""

    least: int = 1
    most: int = 1
    window: str = "60s"
    drain_s: int = DRAIN_S
    other: Mapping[str, str] = field(default_factory=dict)


def wiring(chain: str, function: str, place: Place, **parameters: str) -> Wiring:
    """The wiring of one function of a shipped chain, with the addresses that it has in a cluster."""
    planned = plan.make(catalog.load(chain, parameters), RUN)
    addresses = {each.name: address(each.name, place.namespace) for each in planned.chain.functions}
    return plan.bind(planned.wirings[function], addresses, receipts=place.receipts, endpoint=None)


def address(service: str, namespace: str) -> str:
    """Where a function of the same cluster is called."""
    return f"{service}.{namespace}.svc.cluster.local:80"


def ksvc(name: str, wired: Wiring, place: Place, scaling: Scaling | None = None) -> Manifest:
    """Consumers of events speak HTTP/1.1, all others gRPC; each has the probe that it answers."""
    scaling = scaling or Scaling()
    probe = {"httpGet": {"path": READY_PATH}} if wired.consumes else {"grpc": {}}
    container = {
        "image": place.image,
        "ports": [{"name": "http1" if wired.consumes else "h2c", "containerPort": PORT}],
        "env": [{"name": WIRING, "value": wired.encode()}],
        "readinessProbe": probe,
        "securityContext": RESTRICTED,
    }
    template = {
        "metadata": {"annotations": _annotations(scaling)},
        "spec": {"timeoutSeconds": scaling.drain_s, "containers": [container]},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": place.namespace},
        "spec": {"template": template},
    }


def pods_of(service: str) -> str:
    """The selector of a Service's pods."""
    return f"{SERVICE_LABEL}={service}"


def _annotations(scaling: Scaling) -> dict[str, str]:
    said = {"min-scale": str(scaling.least), "max-scale": str(scaling.most), "window": scaling.window, **scaling.other}
    return {f"{AUTOSCALING}/{key}": value for key, value in said.items()}
