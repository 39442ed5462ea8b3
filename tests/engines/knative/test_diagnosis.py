"""Why something does not come up: each record is what a real cluster showed of one broken deployment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.engines.knative.diagnosis import LONGEST, DeploymentFailed, Diagnosis, diagnose
from toolkit.engines.knative.evidence import Facts, Refusal
from toolkit.engines.knative.kinds import BROKER, KSVC, SINK_BINDING, TRIGGER, Key, Kind
from toolkit.errors import Exit

RECORDED = Path(__file__).parent / "recorded"
KINDS = {(each.api_version, each.kind): each for each in (KSVC, BROKER, TRIGGER, SINK_BINDING)}


def recorded(name: str) -> Facts:
    found = json.loads((RECORDED / f"{name}.json").read_text())
    version, kind, of = found.pop("key")
    refusal = found.pop("refusal", None)
    key = Key(KINDS.get((version, kind), Kind(version, kind)), of)
    return Facts(key, found.pop("after_s"), refusal=Refusal(**refusal) if refusal else None, **found)


def told(name: str) -> Diagnosis:
    return diagnose(recorded(name))


CAUSES = {
    "wrong-port": "its container runs, but does not answer on port 8080, where Knative asks for gRPC health",
    "image-not-there": "its image dev.local/nope:1 cannot be pulled: ",
    "image-not-resolved": 'its image cannot be looked up: Unable to fetch image "registry.example.com/nope:1": ',
    "too-much-cpu": "no node takes its pod: 0/1 nodes are available: 1 Insufficient cpu.",
    "node-selector-switched-off": "Knative does not take spec.template.spec.nodeSelector here: this feature is",
    "webhook-refusal": "the webhook validation.webhook.serving.knative.dev refuses it: validation failed: expected 0",
    "unknown-field": "this cluster's Knative does not know what it says: failed to create typed patch object",
    "no-such-broker-class": "no controller of this cluster answers for brokers of the class Kafka",
    "bad-wiring": "the function cannot start: $TOOLKIT_WIRING: Wiring.__init__() missing 4 required",
    "no-such-handler": "the function cannot start: wiring.handler: nowhere cannot be imported: ModuleNotFoundError",
    "pod-security": 'is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
    "out-of-memory": "its container needs more memory than it may have, and is killed for it (OOMKilled)",
    "no-service-account": 'serviceaccount "nobody" not found',
    "no-such-subscriber": "its subscriber has no address: failed to get object bench-subscriber/nobody",
    "deployment-invalid": 'no pod can be made for it: failed to create deployment "consumer-00001-deployment"',
    "no-such-secret": 'its container cannot be made: secret "nosecret" not found',
    "no-such-program": "its container cannot be started: stat /no/such/program: no such file or directory",
    "quota-of-pods": "is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
    "quota-wants-requests": "is forbidden: failed quota: q: must specify requests.memory for: queue-proxy",
    "namespace-excluded": "the namespace is excluded from SinkBindings by its label bindings.knative.dev/exclude",
}
NEXT_STEPS = {
    "wrong-port": "listen on $PORT",
    "image-not-there": "see that --image names what 'toolkit build' made",
    "image-not-resolved": "dev.local/ are looked for on the nodes only",
    "too-much-cpu": "resources.requests.cpu",
    "node-selector-switched-off": '{"kubernetes.podspec-nodeselector":"enabled"}',
    "webhook-refusal": "correct what the message names, in chain.yaml",
    "unknown-field": "Knative may be older",
    "no-such-broker-class": "MTChannelBasedBroker comes with Knative Eventing",
    "bad-wiring": "'toolkit build' again",
    "no-such-handler": "'toolkit build' again",
    "pod-security": "pod-security labels",
    "out-of-memory": "resources.limits.memory",
    "no-service-account": "make the ServiceAccount",
    "no-such-subscriber": "see that the function exists",
    "deployment-invalid": "correct what the message names",
    "no-such-secret": "correct what it refers to",
    "no-such-program": "for this cluster's processors",
    "quota-of-pods": "raise the ResourceQuota",
    "quota-wants-requests": "set resources.requests and limits",
    "namespace-excluded": "kubectl label namespace bench-excluded bindings.knative.dev/exclude-",
}


def test_every_record_is_judged() -> None:
    assert set(CAUSES) == set(NEXT_STEPS) == {each.stem for each in RECORDED.glob("*.json")}


@pytest.mark.parametrize("name", sorted(CAUSES))
def test_what_a_real_cluster_showed_has_a_cause_and_a_next_step_of_its_own(name: str) -> None:
    found = told(name)
    assert CAUSES[name] in found.cause
    assert NEXT_STEPS[name] in found.next_step
    assert all(len(line) <= LONGEST for line in found.evidence)


def test_the_evidence_leads_from_the_condition_over_the_pod_and_the_event_to_the_last_log_lines() -> None:
    text = str(told("no-such-handler"))
    parts = [line.split()[0] for line in text.splitlines()[1:]]
    order = [part for part in dict.fromkeys(parts) if part in ("condition", "pod", "event", "log")]
    assert order == ["condition", "pod", "event", "log"]
    assert text.startswith("Service consumer is not ready after ")
    assert text.splitlines()[-1].strip().startswith("toolkit.sdk: wiring.handler: nowhere cannot be imported")


def test_a_reason_that_a_service_repeats_of_its_revision_is_told_once_as_an_event_of_many_pods_is() -> None:
    events = [line for line in told("pod-security").evidence if line.startswith("event")]
    assert len(events) == 2
    assert len([line for line in events if "violates PodSecurity" in line]) == 1


def test_what_was_refused_never_waited() -> None:
    found = told("webhook-refusal")
    assert str(found).startswith("Service consumer cannot be applied: ")
    assert found.evidence == ()


def test_the_error_is_the_diagnosis_and_the_engine_could_not() -> None:
    error = DeploymentFailed(told("out-of-memory"))
    assert error.exit is Exit.ENGINE
    assert "OOMKilled" in str(error)
    assert error.next_step is not None
    assert "60Mi" in error.next_step


def test_where_no_rule_fits_the_trouble_speaks_for_itself() -> None:
    found = diagnose(Facts(Key(KSVC, "consumer"), 30.0, trouble="something new: that nobody has seen"))
    assert found.cause == "something new: that nobody has seen"
    assert "kubectl describe ksvc consumer" in found.next_step


@pytest.mark.parametrize("kind", [KSVC, BROKER, TRIGGER, SINK_BINDING], ids=str)
def test_an_object_that_is_not_there_is_told_too(kind: Kind) -> None:
    assert diagnose(Facts(Key(kind, "x"), 1.0)).cause == "it is not there"


@pytest.mark.parametrize(
    ("key", "found", "cause"),
    [
        (
            Key(BROKER, "default"),
            {"type": "DeadLetterSinkResolved", "status": "False", "reason": "NotFound", "message": "no buried"},
            "its dead-letter function has no address: NotFound: no buried",
        ),
        (
            Key(BROKER, "default"),
            {"type": "IngressReady", "status": "False", "reason": "ServiceFailure"},
            "the broker's own parts are not ready: IngressReady: ServiceFailure",
        ),
        (
            Key(TRIGGER, "a-to-b"),
            {"type": "BrokerReady", "status": "False", "reason": "BrokerDoesNotExist"},
            "its broker is not ready: BrokerDoesNotExist",
        ),
        (
            Key(KSVC, "consumer"),
            {"type": "RoutesReady", "status": "Unknown", "reason": "IngressNotConfigured", "message": "not yet"},
            "its pods are ready, but the ingress does not lead to them: IngressNotConfigured: not yet",
        ),
    ],
)
def test_a_condition_that_is_not_met_names_the_part_that_fails(key: Key, found: dict[str, str], cause: str) -> None:
    shown = {
        "apiVersion": key.kind.api_version,
        "kind": key.kind.kind,
        "metadata": {"name": key.name},
        "status": {"conditions": [found]},
    }
    assert diagnose(Facts(key, 5.0, found=shown)).cause == cause


@pytest.mark.parametrize(
    ("refusal", "cause", "next_step"),
    [
        (
            Refusal(
                403, "Forbidden", 'User "jane" cannot create resource "brokers" in API group "eventing.knative.dev"'
            ),
            'you have no right to do that: User "jane" cannot create resource "brokers"',
            "kubectl auth can-i",
        ),
        (
            Refusal(403, "Forbidden", 'brokers "default" is forbidden: exceeded quota: q, requested: count=1'),
            "a ResourceQuota of the namespace is used up",
            "-n",
        ),
        (
            Refusal(403, "Forbidden", "unable to create new content in namespace a because it is being terminated"),
            "the namespace is ending",
            "wait for its end",
        ),
        (
            Refusal(500, "InternalError", 'failed calling webhook "webhook.serving.knative.dev": connection refused'),
            "a webhook that has to see it cannot be asked",
            "kubectl get pods",
        ),
        (
            Refusal(404, "NotFound", 'namespaces "a" not found'),
            "there is no such namespace",
            "kubectl create namespace",
        ),
        (Refusal(418, "Teapot", "short and stout"), "the API server refuses it: short and stout (418)", "correct"),
    ],
)
def test_a_refusal_is_passed_on_with_what_it_means(refusal: Refusal, cause: str, next_step: str) -> None:
    found = diagnose(Facts(Key(KSVC, "consumer"), 0.0, refusal=refusal))
    assert found.cause.startswith(cause)
    assert next_step in found.next_step
