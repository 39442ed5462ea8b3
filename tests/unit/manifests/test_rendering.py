"""What a plan becomes on stock Knative: which objects, in which order, and what each says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.unit.manifests.samples import (
    IMAGE,
    NAMESPACE,
    chain,
    container,
    environment,
    function,
    lone,
    of_kind,
    pod,
    render,
    service,
    shipped,
    target,
    wired,
)
from tests.unit.manifests.test_scalars import HOSTILE
from toolkit import manifests, plan
from toolkit.contract import Wiring
from toolkit.manifests import Manifest, Target
from toolkit.plan import Plan
from toolkit.spec.model import Broker, Delivery, Edge, Resources

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def eventing(**delivery: Any) -> Plan:
    """An event from `a` to `b`, dead letters to `drain`."""
    functions = [function("a"), function("b", protocol="http1"), function("drain", protocol="http1")]
    broker = Broker("post", delivery.pop("acknowledge", "sync"), Delivery(**delivery))
    return plan.make(chain(functions, [Edge("a", "b", "event", type="greeting")], broker), "run-1")


def broker_of(made: Plan) -> Manifest:
    (one,) = of_kind("Broker", render(made))
    return one


def test_objects_come_in_the_order_in_which_they_are_applied() -> None:
    made = render(shipped("chained-mixed"))
    assert [(each["kind"], each["metadata"]["name"]) for each in made] == [
        ("Namespace", NAMESPACE),
        ("Broker", "default"),
        ("SinkBinding", "publisher"),
        ("Service", "producer"),
        ("Service", "publisher"),
        ("Service", "subscriber"),
        ("Service", "consumer"),
        ("Trigger", "publisher-to-subscriber"),
    ]


def test_the_same_plan_gives_the_same_text() -> None:
    texts = {manifests.text(render(shipped("chained-eventing"))) for _ in range(3)}
    assert len(texts) == 1


def test_everything_but_the_namespace_is_in_it_and_all_carry_the_labels_of_the_run() -> None:
    made = shipped("chained-mixed")
    for each in render(made):
        assert each["metadata"]["labels"].items() >= manifests.labels(made).items()
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == NAMESPACE


def test_the_namespace_holds_its_pods_to_the_restricted_standard() -> None:
    (one,) = of_kind("Namespace", render(lone()))
    assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_namespace_that_is_there_is_not_rendered() -> None:
    assert of_kind("Namespace", render(lone(), create_namespace=False)) == []


def test_a_called_function_is_named_h2c_and_probed_by_grpc() -> None:
    one = container(service(render(lone())))
    assert one["ports"] == [{"name": "h2c", "containerPort": 8080}]
    assert one["readinessProbe"] == {"grpc": {}}


def test_a_consumer_of_events_is_named_http1_and_probed_by_http() -> None:
    for name in ("b", "drain"):
        one = container(service(render(eventing(dead_letter="drain")), name))
        assert one["ports"] == [{"name": "http1", "containerPort": 8080}]
        assert one["readinessProbe"] == {"httpGet": {"path": "/healthz"}}


def test_the_container_meets_the_restricted_standard_without_a_name() -> None:
    one = container(service(render(lone())))
    assert one["securityContext"] == RESTRICTED
    assert one["image"] == IMAGE
    assert set(one) == {"image", "ports", "env", "readinessProbe", "securityContext"}


def test_a_template_has_no_name_so_that_a_second_apply_changes_nothing() -> None:
    assert "name" not in service(render(lone()))["spec"]["template"]["metadata"]


def test_pods_carry_the_labels_of_their_function() -> None:
    made = shipped("chained-serving")
    metadata = service(render(made), "consumer")["spec"]["template"]["metadata"]
    assert metadata == {"labels": manifests.labels(made, "consumer")}


@pytest.mark.parametrize(
    ("asked", "entry", "label"),
    [
        (None, True, None),
        (None, False, "cluster-local"),
        ("cluster", True, "cluster-local"),
        ("public", False, None),
    ],
)
def test_only_the_entry_is_public_unless_the_chain_says_so(asked: Any, entry: bool, label: str | None) -> None:
    names = ("one", "other") if entry else ("other", "one")
    functions = [function(name, visibility=asked if name == "one" else None) for name in names]
    found = service(render(plan.make(chain(functions), "run")), "one")["metadata"]
    assert found["labels"].get("networking.knative.dev/visibility") == label
    assert "annotations" not in found


ALWAYS = {"automountServiceAccountToken": False, "enableServiceLinks": False}


def test_what_nobody_set_is_not_written() -> None:
    assert set(pod(service(render(lone())))) == {"containers", *ALWAYS}


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ({"concurrency": 0}, {"containerConcurrency": 0}),
        ({"concurrency": 1}, {"containerConcurrency": 1}),
        ({"timeout_s": 60}, {"timeoutSeconds": 60}),
        ({"timeout_s": 300.0}, {"timeoutSeconds": 300}),
        ({"timeout_s": 600}, {"timeoutSeconds": 600, "responseStartTimeoutSeconds": 600}),
        ({"timeout_s": 600, "response_start_s": 10}, {"timeoutSeconds": 600, "responseStartTimeoutSeconds": 10}),
        ({"idle_s": 5}, {"idleTimeoutSeconds": 5}),
        ({"node_selector": {"disk": "ssd", "on": "yes"}}, {"nodeSelector": {"disk": "ssd", "on": "yes"}}),
    ],
)
def test_a_knob_lands_where_knative_reads_it(asked: dict[str, Any], written: dict[str, Any]) -> None:
    found = pod(service(render(lone(**asked))))
    del found["containers"]
    assert found == {**ALWAYS, **written}


def test_resources_are_the_containers() -> None:
    asked = Resources({"cpu": "250m"}, {"cpu": "1", "memory": "1e3"})
    written = {"requests": {"cpu": "250m"}, "limits": {"cpu": "1", "memory": "1e3"}}
    assert container(service(render(lone(resources=asked))))["resources"] == written
    only = Resources(limits={"memory": "64Mi"})
    assert container(service(render(lone(resources=only))))["resources"] == {"limits": {"memory": "64Mi"}}


def test_annotations_go_to_the_revision_or_to_the_service() -> None:
    made = service(render(lone(annotations={"a/b": "1"}, service_annotations={"serving.knative.dev/x": "on"})))
    assert made["spec"]["template"]["metadata"]["annotations"] == {"a/b": "1"}
    assert made["metadata"]["annotations"] == {"serving.knative.dev/x": "on"}


def test_a_wiring_holds_the_addresses_of_the_cluster() -> None:
    made = shipped("chained-mixed")
    there = target(made, receipts="tcp://10.0.0.1:99", endpoint="http://zipkin:9411/api/v2/spans")
    found = wired(service(manifests.render(made, there), "producer"))
    assert found["outgoing"][0]["address"] == "publisher.space.svc.cluster.local:80"
    assert (found["receipts"], found["tracing"]["endpoint"]) == (there.receipts, there.endpoint)
    assert (
        Wiring.decode(manifests.wiring(made, there, "producer").encode()).encode()
        == (environment(service(manifests.render(made, there), "producer"))["TOOLKIT_WIRING"])
    )


@pytest.mark.parametrize("value", [each for each in HOSTILE if "\x00" not in each])
def test_a_hostile_value_reaches_the_process_as_it_is(value: str) -> None:
    made = lone(env={"HELD": value, "LAST": "1"}, annotations={"held": value}, service_annotations={"held": value})
    (read,) = yaml.safe_load_all(manifests.text(render(made, create_namespace=False)))
    assert environment(read)["HELD"] == value
    assert environment(read)["LAST"] == "1"
    assert read["spec"]["template"]["metadata"]["annotations"] == {"held": value}
    assert read["metadata"]["annotations"] == {"held": value}
    assert set(container(read)) == {"image", "ports", "env", "readinessProbe", "securityContext"}


@pytest.mark.parametrize("value", ["$(PORT)", "$$(PORT)", "a$", "$é", "$$", "${x}", "$", "$(", "$(a"])
def test_kubernetes_replaces_nothing_in_a_value(value: str) -> None:
    assert environment(service(render(lone(env={"HELD": value}))))["HELD"] == value


def test_a_broker_says_all_of_its_delivery() -> None:
    assert broker_of(eventing()) == {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {
            "name": "post",
            "namespace": NAMESPACE,
            "labels": manifests.labels(eventing()),
            "annotations": {"eventing.knative.dev/broker.class": "MTChannelBasedBroker"},
        },
        "spec": {"delivery": {"retry": 10, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}},
    }


def test_a_dead_letter_sink_is_a_reference_to_the_function() -> None:
    made = broker_of(eventing(dead_letter="drain", retry=0, backoff="linear", delay_s=0.0, timeout_s=2.5))
    assert made["spec"]["delivery"] == {
        "retry": 0,
        "backoffPolicy": "linear",
        "backoffDelay": "PT0S",
        "timeout": "PT2.5S",
        "deadLetterSink": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "drain"}},
    }


def test_an_asynchronous_broker_has_an_asynchronous_channel() -> None:
    annotations = broker_of(eventing(acknowledge="async"))["metadata"]["annotations"]
    assert annotations["messaging.knative.dev/async-handler"] == "true"


def test_who_sends_events_is_bound_to_the_broker_once() -> None:
    functions = [function("a"), function("b", protocol="http1"), function("c", protocol="http1")]
    edges = [Edge("a", "b", "event", type="x"), Edge("a", "c", "event", type="y")]
    made = render(plan.make(chain(functions, edges, Broker("post")), "run"))
    (one,) = of_kind("SinkBinding", made)
    assert one["spec"] == {
        "subject": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "namespace": NAMESPACE, "name": "a"},
        "sink": {
            "ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "namespace": NAMESPACE, "name": "post"}
        },
    }
    assert len(of_kind("Trigger", made)) == 2


def test_a_trigger_filters_by_type_and_source() -> None:
    (one,) = of_kind("Trigger", render(eventing()))
    assert one["metadata"]["name"] == "a-to-b"
    assert one["spec"] == {
        "broker": "post",
        "filters": [{"exact": {"type": "greeting", "source": "a"}}],
        "subscriber": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "b"}},
    }


def test_calls_alone_need_neither_broker_nor_binding_nor_trigger() -> None:
    kinds = {each["kind"] for each in render(shipped("chained-serving"))}
    assert kinds == {"Namespace", "Service"}


def test_the_text_is_a_stream_of_the_objects() -> None:
    made = render(shipped("chained-mixed"))
    assert list(yaml.safe_load_all(manifests.text(made))) == list(made)


def test_a_long_chain_is_rendered_whole() -> None:
    names = [f"f{number}" for number in range(300)]
    edges = [Edge(a, b, "call") for a, b in pairwise(names)]
    made = plan.make(chain(map(function, names), edges), "run")
    assert len(manifests.render(made, Target("space", IMAGE))) == 301
