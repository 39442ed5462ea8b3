"""The parts of Knative that run in the cluster: what they are, whether they serve, and whether they always did.

May live here: looking at Knative's own Deployments and pods. May not: what tests do with Knative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.suite.api import DEPLOYMENT, POD
from tests.cluster.suite.cluster import Cluster, condition_of
from tests.cluster.suite.diagnosis import pod_state

SERVING, EVENTING, KOURIER = NAMESPACES = ("knative-serving", "knative-eventing", "kourier-system")
COMPONENTS: Mapping[str, frozenset[str]] = {
    SERVING: frozenset(("activator", "autoscaler", "controller", "webhook", "net-kourier-controller")),
    EVENTING: frozenset(
        (
            *("eventing-controller", "eventing-webhook", "mt-broker-controller", "mt-broker-ingress"),
            *("mt-broker-filter", "imc-controller", "imc-dispatcher"),
        )
    ),
    KOURIER: frozenset(("3scale-kourier-gateway",)),
}
VERSION_LABEL = "app.kubernetes.io/version"


@dataclass(frozen=True, slots=True, order=True)
class Container:
    """One container of Knative's. It is another one once its pod was replaced or it began again."""

    namespace: str
    pod: str
    name: str
    restarts: int


def deployments(cluster: Cluster, namespace: str) -> Sequence[Mapping[str, Any]]:
    return cluster.list(DEPLOYMENT, namespace)


def missing(cluster: Cluster, namespace: str) -> set[str]:
    """The components that should be there and are not."""
    return set(COMPONENTS[namespace]) - {each["metadata"]["name"] for each in deployments(cluster, namespace)}


def versions(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    """The version that each component says it is, by its name."""
    return {each["metadata"]["name"]: _version(each) for each in deployments(cluster, namespace)}


def complaints(cluster: Cluster, namespace: str) -> list[str]:
    """What is wrong with the components of a namespace, in words."""
    return [*_unavailable(deployments(cluster, namespace)), *_restarted(cluster.list(POD, namespace))]


def containers(cluster: Cluster) -> frozenset[Container]:
    """Every container of Knative's, as it runs now; those on their way out are left out."""
    return frozenset(
        Container(namespace, pod["metadata"]["name"], each["name"], each["restartCount"])
        for namespace in NAMESPACES
        for pod in cluster.pods(namespace)
        for each in pod["status"].get("containerStatuses", ())
    )


def _version(deployment: Mapping[str, Any]) -> str:
    return str(deployment["metadata"].get("labels", {}).get(VERSION_LABEL, "none said"))


def _unavailable(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in found:
        name, wanted, status = each["metadata"]["name"], each["spec"].get("replicas", 1), each.get("status", {})
        available = condition_of(each, "Available")
        if wanted == 0:
            yield f"{name} is scaled to no replicas"
        elif available.get("status") != "True" or status.get("readyReplicas", 0) < wanted:
            yield f"{name}: {status.get('readyReplicas', 0)} of {wanted} ready: {available.get('message')}"


def _restarted(pods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for pod in pods:
        states = pod["status"].get("containerStatuses", ())
        if any(each["restartCount"] for each in states):
            yield f"{pod['metadata']['name']}: {pod_state(pod)}"
