"""The ledger of a chain with tasks: its pod, its Service, and how functions find it."""

from __future__ import annotations

import json

import pytest

from tests.unit.manifests.samples import VARIANTS, render, shipped
from toolkit.contract import LEDGER, WIRING, Wiring
from toolkit.engines.knative import conditions, order
from toolkit.engines.knative.kinds import DEPLOYMENT, K8S_SERVICE, KSVC, Key
from toolkit.manifests import Manifest, Target, ledgers


def made(variant: str = "knative") -> list[Manifest]:
    return list(render(shipped("counter"), variant, ledger_token="5" * 32))


def ledger(kind: str, variant: str = "knative") -> Manifest:
    (found,) = (each for each in made(variant) if each["kind"] == kind and each["metadata"]["name"] == LEDGER)
    return found


def test_a_chain_without_tasks_has_no_ledger() -> None:
    assert LEDGER not in {each["metadata"]["name"] for each in render(shipped("chained-eventing"), "knative")}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_has_one_beside_its_functions(variant: str) -> None:
    assert ledger("Deployment", variant)["spec"]["template"]["spec"]["containers"][0]["image"]
    assert (
        ledger("Service", variant)["spec"]["selector"]
        == ledger("Deployment", variant)["spec"]["selector"]["matchLabels"]
    )


def test_its_pod_is_restricted_and_writes_nowhere_but_its_volume() -> None:
    pod = ledger("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False
    (mount,) = container["volumeMounts"]
    assert container["command"][-3].startswith(f"{mount['mountPath']}/")
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"


def test_it_carries_the_labels_of_its_run_so_that_it_leaves_with_it() -> None:
    broker = next(each for each in made() if each["kind"] == "Broker")
    for kind in ("Deployment", "Service"):
        assert broker["metadata"]["labels"].items() <= ledger(kind)["metadata"]["labels"].items()
    assert (
        broker["metadata"]["labels"].items() <= ledger("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    )


def test_every_function_is_told_where_it_is() -> None:
    services = [each for each in made() if each["apiVersion"].startswith("serving")]
    namespace = services[0]["metadata"]["namespace"]
    for service in services:
        environment = service["spec"]["template"]["spec"]["containers"][0]["env"]
        wiring = Wiring.decode(next(each["value"] for each in environment if each["name"] == WIRING).replace("$$", "$"))
        assert wiring.ledger == f"http://{LEDGER}.{namespace}.svc.cluster.local/{'5' * 32}"
        assert json.loads(wiring.encode())["ledger"] == wiring.ledger


def test_the_ledger_knows_its_token_which_no_argument_tells_and_it_can_be_read_back() -> None:
    deployment = ledger("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "TOOLKIT_LEDGER_TOKEN", "value": "5" * 32}]
    assert "5" * 32 not in " ".join(container["command"])
    assert ledgers.token(deployment) == "5" * 32
    assert ledgers.token({}) is None
    assert ledgers.token(ledger("Service")) is None


def test_every_target_has_a_token_of_its_own() -> None:
    first, second = (Target("space", "dev.local/x:1") for _ in range(2))
    assert first.ledger_token != second.ledger_token
    assert first.ledger_token not in repr(first)


def test_functions_come_up_once_it_is_ready() -> None:
    steps = {step.key: step for step in order.steps(made())}
    assert Key(DEPLOYMENT, LEDGER) in steps[Key(KSVC, "step")].after


def test_a_deployment_is_ready_when_it_is_available_and_a_service_at_once() -> None:
    deployment = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "metadata": {"generation": 1}}
    waiting = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
    pending = {**deployment, "status": {"observedGeneration": 1, "conditions": [waiting]}}
    available = {**deployment, "status": {"observedGeneration": 1, "conditions": [{**waiting, "status": "True"}]}}
    assert not conditions.ready(deployment)
    assert not conditions.ready(pending)
    assert conditions.trouble(pending) is None
    assert conditions.ready(available)
    service = {"apiVersion": K8S_SERVICE.api_version, "kind": K8S_SERVICE.kind, "metadata": {}, "status": {}}
    assert conditions.ready(service)
    assert conditions.trouble(service) is None
