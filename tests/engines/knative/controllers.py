"""What Knative's controllers and webhooks do, in a few lines, for a `FakeCluster`: each object becomes ready at once.

A test takes a kind out of `ready`, or says what a controller writes in place of that.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.engines.knative.fake import FakeCluster
from toolkit.contract import K_SINK

READY = {"type": "Ready", "status": "True"}
DOMAIN = "example.com"


@dataclass
class Controllers:
    """Reacts to what is written to the cluster. `says` is a status by `kind/name` in place of the good one."""

    cluster: FakeCluster
    says: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    bind: bool = True
    pods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # the status of a function's pod
    domain: str = "cluster.local"

    def admit(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """The webhook of SinkBindings: a Service that one names is told where its events go."""
        broker = self._bound_to(manifest["metadata"]["name"])
        if manifest["kind"] != "Service" or not self.bind or broker is None:
            return manifest
        admitted = copy.deepcopy(manifest)
        sink = {"name": K_SINK, "value": broker["status"]["address"]["url"]}
        admitted["spec"]["template"]["spec"]["containers"][0]["env"].append(sink)
        return admitted

    def __call__(self, method: str, path: str) -> None:
        for found in list(self.cluster.objects.values()):
            self._settle(found)

    def _settle(self, found: dict[str, Any]) -> None:
        kind, metadata = found["kind"], found["metadata"]
        if found["apiVersion"] == "v1" or found.get("status", {}).get("observedGeneration") == metadata["generation"]:
            return
        status = self.says.get(f"{kind}/{metadata['name']}")
        if status is None:
            status = {"conditions": [READY], **self._made(kind, found)}
        found["status"] = {"observedGeneration": metadata["generation"], **status}

    def _made(self, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        name, space = found["metadata"]["name"], found["metadata"].get("namespace")
        if kind == "Service":
            return self._service(found)
        if kind == "Broker":
            self.cluster.put(_channel(found))
            return {"address": {"url": f"http://broker-ingress.knative-eventing.svc.{self.domain}/{space}/{name}"}}
        if kind == "Trigger":
            self._subscribe(found)
        return {}

    def _service(self, found: dict[str, Any]) -> dict[str, Any]:
        name, space = found["metadata"]["name"], found["metadata"]["namespace"]
        revision = f"{name}-{found['metadata']['generation']:05}"
        env = list(found["spec"]["template"]["spec"]["containers"][0].get("env", ()))
        labels = found["spec"]["template"]["metadata"].get("labels", {})
        self.cluster.put(
            {
                "apiVersion": "serving.knative.dev/v1",
                "kind": "Revision",
                "metadata": {"name": revision, "namespace": space, "labels": labels, **_owner(found)},
                "spec": {"containers": [{"env": env}]},
                "status": {"conditions": [READY]},
            }
        )
        self.cluster.put(_pod(f"{revision}-pod", space, name, labels, found, self.pods.get(name)))
        return {
            "url": f"http://{name}.{space}.{DOMAIN}",
            "address": {"url": f"http://{name}.{space}.svc.{self.domain}"},
            "traffic": [{"revisionName": revision, "percent": 100}],
        }

    def _bound_to(self, service: str) -> dict[str, Any] | None:
        """The broker that a SinkBinding leads the service to."""
        for each in self._every("SinkBinding"):
            if each["spec"]["subject"]["name"] == service:
                return self._named("Broker", each["spec"]["sink"]["ref"]["name"])
        return None

    def _every(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.cluster.objects.values() if each["kind"] == kind]

    def _named(self, kind: str, name: str) -> dict[str, Any]:
        return next(each for each in self._every(kind) if each["metadata"]["name"] == name)

    def _subscribe(self, trigger: dict[str, Any]) -> None:
        channel = self._named("InMemoryChannel", f"{trigger['spec']['broker']}-kne-trigger")
        url = f"http://broker-filter/triggers/a/{trigger['metadata']['name']}/{trigger['metadata']['uid']}"
        subscription = f"of {trigger['metadata']['uid']}"
        channel["spec"]["subscribers"].append({"uid": subscription, "subscriberUri": url})
        channel.setdefault("status", {}).setdefault("subscribers", []).append({"uid": subscription, "ready": "True"})


def _owner(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"ownerReferences": [{"uid": found["metadata"]["uid"]}]}


def _channel(broker: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"{broker['metadata']['name']}-kne-trigger", "namespace": broker["metadata"]["namespace"]}
    return {
        "apiVersion": "messaging.knative.dev/v1",
        "kind": "InMemoryChannel",
        "metadata": {**metadata, **_owner(broker)},
        "spec": {"subscribers": []},
    }


def _pod(
    name: str,
    namespace: str,
    service: str,
    labels: Mapping[str, str],
    owner: Mapping[str, Any],
    status: Mapping[str, Any] | None,
) -> dict[str, Any]:
    own = {**labels, "serving.knative.dev/service": service}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": own, **_owner(owner)},
        "spec": {"containers": [{"name": "user-container"}]},
        "status": status or {"phase": "Running", "conditions": [READY]},
    }


def collect_garbage(cluster: FakeCluster) -> None:
    """What is owned by something that is gone goes too."""
    while True:
        alive = {each["metadata"]["uid"] for each in cluster.objects.values()}
        orphans = [
            path
            for path, each in cluster.objects.items()
            if any(owner["uid"] not in alive for owner in each["metadata"].get("ownerReferences", ()))
        ]
        if not orphans:
            return
        for path in orphans:
            del cluster.objects[path]
