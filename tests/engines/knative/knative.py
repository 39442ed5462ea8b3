"""A Knative of any release in a `FakeCluster`: its namespaces, ConfigMaps and Deployments as its releases install them.

Deployments roll out as soon as they are written, unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.engines.knative.fake import RESOURCES, FakeCluster
from toolkit.engines.knative import observability

SERVING, EVENTING = "knative-serving", "knative-eventing"
DATA_PLANE = {SERVING: ("activator",), EVENTING: ("mt-broker-ingress", "mt-broker-filter", "imc-dispatcher")}
CONTROL_PLANE = {SERVING: ("controller", "webhook"), EVENTING: ("eventing-controller", "mt-broker-controller")}
EXAMPLES = {
    "config-observability": "tracing-protocol: none\ntracing-endpoint: none",
    "config-tracing": "backend: none\nzipkin-endpoint: none",
    "config-kourier": "tracing-endpoint: none",
}
DEFAULT_BROKER = "clusterDefault:\n  brokerClass: MTChannelBasedBroker\n"
CHANNEL = "apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n"


@dataclass
class Knative:
    """`serving`, `eventing` and `kourier` are version labels; None: not installed. `stuck` names Deployments."""

    cluster: FakeCluster
    serving: str | None = "1.23.0"
    eventing: str | None = "1.23.0"
    kourier: str | None = "v0.48.0"
    stuck: set[str] = field(default_factory=set)

    def install(self) -> Knative:
        self.cluster.resources = {
            **RESOURCES,
            "apps/v1": {"Deployment": "deployments", "ReplicaSet": "replicasets"},
        }
        self.cluster.changed = self
        for namespace, version in ((SERVING, self.serving), (EVENTING, self.eventing)):
            if version is not None:
                self._part(namespace, version)
        if self.serving is not None:
            network = {"ingress-class": f"{'kourier' if self.kourier else 'istio'}.ingress.networking.knative.dev"}
            self.config_map(SERVING, "config-network", network)
            self.config_map(SERVING, "config-domain", {"_example": "", "example.com": ""})
            self.config_map(SERVING, "config-features", {"kubernetes.podspec-nodeselector": "enabled"})
        if self.eventing is not None:
            self.config_map(EVENTING, "config-br-defaults", {"default-br-config": DEFAULT_BROKER})
            self.config_map(EVENTING, "config-br-default-channel", {"channel-template-spec": CHANNEL})
        if self.kourier is not None:
            self._config_map(SERVING, "config-kourier", self.kourier)
        return self

    def data(self, namespace: str, name: str) -> dict[str, str]:
        """What a ConfigMap says, its example left away."""
        found = self.cluster.get("v1", "ConfigMap", name, namespace)
        assert found is not None
        return {key: value for key, value in found.get("data", {}).items() if not key.startswith("_")}

    def config_map(self, namespace: str, name: str, data: Mapping[str, str], **metadata: Any) -> None:
        """Writes one, as a person would."""
        place = {"name": name, "namespace": namespace, **metadata}
        self.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": dict(data)})

    def say(self, namespace: str, name: str, **data: str | None) -> None:
        """Sets keys, as a person would; `_` stands for `-`, None takes the key away."""
        found = self.cluster.get("v1", "ConfigMap", name, namespace)
        assert found is not None
        changes = {key.replace("_", "-"): value for key, value in data.items()}
        kept = {key: value for key, value in {**found.get("data", {}), **changes}.items() if value is not None}
        self.cluster.put({**found, "data": kept})

    def config_maps(self) -> dict[str, Any]:
        """All of them, without what every write changes."""
        return {
            place: {**each, "metadata": {k: v for k, v in each["metadata"].items() if k != "resourceVersion"}}
            for place, each in self.cluster.objects.items()
            if each["kind"] == "ConfigMap"
        }

    def restarts(self) -> list[str]:
        """The Deployments that were restarted, in order."""
        paths = [each.partition(" ")[2] for each in self.cluster.asked if each.startswith("PATCH /apis/apps/v1/")]
        return [path.rpartition("/")[2] for path in paths if "fieldManager" not in path]

    def __call__(self, method: str, path: str) -> None:
        for found in self.cluster.objects.values():
            if found["kind"] == "Deployment" and found["metadata"]["name"] not in self.stuck:
                found["status"] = _rolled_out(found["metadata"]["generation"])

    def _part(self, namespace: str, version: str) -> None:
        labels = {"app.kubernetes.io/version": version}
        self.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        for name in ("config-observability", "config-tracing"):
            self._config_map(namespace, name, version)
        for name in (*DATA_PLANE[namespace], *CONTROL_PLANE[namespace]):
            self.cluster.put(deployment(namespace, name))
        self("PUT", "")

    def _config_map(self, namespace: str, name: str, version: str) -> None:
        labels = {"app.kubernetes.io/version": version}
        release = observability.release(version)
        silent = name == "config-kourier" and release is not None and release < (1, 21)
        example = "enable-proxy-protocol: false" if silent else EXAMPLES[name]
        self.config_map(namespace, name, {"_example": example}, labels=labels)


def deployment(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name}]}},
        },
    }


def _rolled_out(generation: int) -> dict[str, Any]:
    pods = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    return {"observedGeneration": generation, "conditions": [{"type": "Available", "status": "True"}], **pods}
