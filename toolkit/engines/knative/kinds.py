"""The kinds of objects that the engine meets, and how to read what all objects have: names, labels, owners.

May live here: pure functions over one object. May not: what a condition means (`conditions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What an object is: `api_version` as manifests write it, and its kind."""

    api_version: str
    kind: str

    def __str__(self) -> str:
        return self.kind

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @staticmethod
    def of(manifest: Object) -> Kind:
        return Kind(manifest["apiVersion"], manifest["kind"])


NAMESPACE = Kind("v1", "Namespace")
NODE = Kind("v1", "Node")
POD = Kind("v1", "Pod")
EVENT = Kind("v1", "Event")
K8S_SERVICE = Kind("v1", "Service")
CONFIG_MAP = Kind("v1", "ConfigMap")
QUOTA = Kind("v1", "ResourceQuota")
DEPLOYMENT = Kind("apps/v1", "Deployment")
JOB = Kind("batch/v1", "Job")
KSVC = Kind("serving.knative.dev/v1", "Service")
REVISION = Kind("serving.knative.dev/v1", "Revision")
BROKER = Kind("eventing.knative.dev/v1", "Broker")
TRIGGER = Kind("eventing.knative.dev/v1", "Trigger")
SINK_BINDING = Kind("sources.knative.dev/v1", "SinkBinding")
SUBSCRIPTION = Kind("messaging.knative.dev/v1", "Subscription")
CHANNEL = Kind("messaging.knative.dev/v1", "InMemoryChannel")


@dataclass(frozen=True, slots=True)
class Key:
    """One object of a deployment: what the live lines call it, and what others depend on."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @staticmethod
    def of(found: Object) -> Key:
        return Key(Kind.of(found), found["metadata"]["name"])


def name(found: Object) -> str:
    return str(found["metadata"]["name"])


def uid(found: Object) -> str:
    return str(found["metadata"].get("uid", ""))


def labels(found: Object) -> Mapping[str, str]:
    return found["metadata"].get("labels") or {}


def notes(found: Object) -> Mapping[str, str]:
    return found["metadata"].get("annotations") or {}


def owned(found: Object) -> bool:
    """Whether something else made it, and sees to its end."""
    return bool(found["metadata"].get("ownerReferences"))


def owned_by(found: Object, owner_uid: str) -> bool:
    return any(each.get("uid") == owner_uid for each in found["metadata"].get("ownerReferences") or ())


def leaving(found: Object) -> bool:
    """Whether its end was asked for."""
    return "deletionTimestamp" in found["metadata"]


def selector(wanted: Mapping[str, str]) -> str:
    """Labels as a label selector."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
