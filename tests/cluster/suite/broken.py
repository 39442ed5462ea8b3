"""Deployments with one thing wrong each, as what is done to good manifests; and what the engine has to say of them.

May live here: the things that are wrong. May not: bringing them up (`test_engine`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.suite.api import Manifest
from toolkit.contract import WIRING

Objects = Sequence[dict[str, Any]]
Change = Callable[[dict[str, Any]], None]
SERVING, EVENTING = "chained-serving", "chained-eventing"


@dataclass(frozen=True, slots=True)
class Broken:
    """`chain` with what `alter` does to it, in a namespace with these labels and objects, is told by `says`.

    `within_s` is the deadline of the deployment, without taking it away.
    """

    chain: str
    says: str
    alter: Callable[[Objects], Objects] = lambda objects: objects
    within_s: float = 45.0
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[Manifest] = ()

    @property
    def own_namespace(self) -> bool:
        return bool(self.labels or self.beside)


def of(kind: str, name: str, change: Change) -> Callable[[Objects], Objects]:
    """What changes the one object of this kind and name."""

    def alter(objects: Objects) -> Objects:
        altered = copy.deepcopy(list(objects))
        for each in altered:
            if (each["kind"], each["metadata"]["name"]) == (kind, name):
                change(each)
        return altered

    return alter


def consumer(change: Change) -> Callable[[Objects], Objects]:
    """What changes the container of the consumer."""
    return of("Service", "consumer", lambda each: change(each["spec"]["template"]["spec"]["containers"][0]))


def template(change: Change) -> Callable[[Objects], Objects]:
    """What changes the pods of the consumer."""
    return of("Service", "consumer", lambda each: change(each["spec"]["template"]["spec"]))


def _wiring(**changed: Any) -> Change:
    def change(container: dict[str, Any]) -> None:
        (variable,) = [each for each in container["env"] if each["name"] == WIRING]
        variable["value"] = json.dumps({**json.loads(variable["value"]), **changed})

    return change


def _quota(**hard: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": hard}}


def _elsewhere(broker: dict[str, Any]) -> None:
    broker["metadata"]["annotations"]["eventing.knative.dev/broker.class"] = "Kafka"


def _nobody(trigger: dict[str, Any]) -> None:
    trigger["spec"]["subscriber"]["ref"]["name"] = "nobody"


_HIDDEN = {"networking.knative.dev/visibility": "cluster-local"}
LOOSE = {"runAsUser": 0, "allowPrivilegeEscalation": True}
LISTENS_ELSEWHERE = ["python3", "-m", "http.server", "9999"]
SPEAKS_HTTP = ["python3", "-m", "http.server", "8080"]
CASES: Mapping[str, Broken] = {
    "wrong port": Broken(
        SERVING,
        "does not answer on port 8080, where Knative asks for gRPC health: connection refused",
        consumer(lambda each: each.update(command=LISTENS_ELSEWHERE)),
        within_s=35.0,
    ),
    "wrong protocol": Broken(
        SERVING,
        "what listens on port 8080, where Knative asks for gRPC health, speaks another protocol",
        consumer(lambda each: each.update(command=SPEAKS_HTTP)),
        within_s=60.0,
    ),
    "image not there": Broken(
        SERVING, "cannot be pulled", consumer(lambda each: each.update(image="dev.local/nowhere:1"))
    ),
    "image in a registry that is not there": Broken(
        SERVING, "its image cannot be looked up", consumer(lambda each: each.update(image="registry.invalid/nowhere:1"))
    ),
    "more processors than a node has": Broken(
        SERVING,
        "no node takes its pod: ",
        consumer(lambda each: each.update(resources={"requests": {"cpu": "1000"}})),
    ),
    "refused by the webhook": Broken(
        SERVING, "refuses it: validation failed", template(lambda each: each.update(containerConcurrency=5000))
    ),
    "a feature that is switched off": Broken(
        SERVING, "this feature is switched off", template(lambda each: each.update(hostNetwork=True))
    ),
    "a field that Knative does not know": Broken(
        SERVING, "field not declared in schema", template(lambda each: each.update(containerConcurency=5))
    ),
    "a quota of pods": Broken(SERVING, "exceeded quota: quota", beside=[_quota(pods="1")]),
    "a quota that wants requests": Broken(
        SERVING, "must specify requests.memory", beside=[_quota(**{"requests.memory": "1Gi"})]
    ),
    "no such class of brokers": Broken(
        EVENTING,
        "no controller of this cluster answers for brokers of the class Kafka",
        of("Broker", "default", _elsewhere),
    ),
    "a namespace that bindings leave out": Broken(
        EVENTING,
        "the namespace is excluded from SinkBindings by its label bindings.knative.dev/exclude",
        labels={"bindings.knative.dev/exclude": "true"},
    ),
    "events to h2c": Broken(
        EVENTING, "its port is named h2c", consumer(lambda each: each["ports"][0].update(name="h2c")), within_s=5.0
    ),
    "bad wiring": Broken(
        SERVING, "the function cannot start: $TOOLKIT_WIRING", consumer(_wiring(serves=[], consumes=False))
    ),
    "no such handler": Broken(SERVING, "nowhere cannot be imported", consumer(_wiring(handler="nowhere:handle"))),
    "too little memory": Broken(
        SERVING,
        "OOMKilled",
        consumer(lambda each: each.update(resources={"limits": {"memory": "12Mi"}})),
    ),
    "no such program": Broken(
        SERVING, "its container cannot be started", consumer(lambda each: each.update(command=["/no/such/program"]))
    ),
    "pods that the namespace forbids": Broken(
        SERVING, "violates PodSecurity", consumer(lambda each: each.update(securityContext=LOOSE))
    ),
    "no such subscriber": Broken(
        EVENTING, "its subscriber has no address", of("Trigger", "producer-to-consumer", _nobody)
    ),
    "a deployment that Kubernetes does not take": Broken(
        SERVING, "failed to create deployment", consumer(lambda each: each.update(startupProbe={"grpc": {}}))
    ),
    "an entry that only the cluster sees": Broken(
        SERVING,
        "visible inside the cluster only",
        of("Service", "producer", lambda each: each["metadata"]["labels"].update(_HIDDEN)),
        within_s=5.0,
    ),
}
