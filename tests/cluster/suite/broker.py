"""Brokers, triggers and sink bindings, as manifests; and an event sent to a broker by the API server's own proxy.

May live here: what Knative Eventing's objects look like.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.cluster.suite.api import Answer, Manifest
from tests.cluster.suite.cluster import Cluster

SYSTEM, INGRESS = "knative-eventing", "broker-ingress"
MTCHANNEL = "MTChannelBasedBroker"


def broker(name: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"eventing.knative.dev/broker.class": MTCHANNEL},
        },
        "spec": {"delivery": {"retry": 3, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}},
    }


def trigger(name: str, namespace: str, broker: str, exact: Mapping[str, str], subscriber: str) -> Manifest:
    """Delivers the events whose attributes are exactly these to a Service."""
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"broker": broker, "filters": [{"exact": dict(exact)}], "subscriber": {"ref": _service(subscriber)}},
    }


def sink_binding(name: str, namespace: str, subject: str, broker: str) -> Manifest:
    """Tells a Service where its events go."""
    sink = {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": broker}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "SinkBinding",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"subject": _service(subject), "sink": {"ref": sink}},
    }


def send(cluster: Cluster, namespace: str, broker: str, attributes: Mapping[str, str], data: str) -> Answer:
    """The broker's answer to one event, sent to its ingress through the API server: needs no address of its own."""
    path = f"/api/v1/namespaces/{SYSTEM}/services/http:{INGRESS}:80/proxy/{namespace}/{broker}"
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    return cluster.api.ask("POST", path, body=data, content_type="application/octet-stream", headers=headers)


def _service(name: str) -> dict[str, str]:
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}
