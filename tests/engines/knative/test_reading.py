"""What objects say: conditions, order, subscribers, whose a namespace is, addresses, and what can never work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from toolkit import catalog, manifests
from toolkit import plan as plans
from toolkit.engines.knative import belongings, conditions, fit, order, reach, subscribers
from toolkit.engines.knative.kinds import BROKER, KSVC, SINK_BINDING, TRIGGER, Key
from toolkit.errors import EngineError


def shown(status: str | None, *, generation: int = 1, observed: int | None = 1, reason: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"metadata": {"name": "x", "generation": generation}, "status": {}}
    if observed is not None:
        found["status"]["observedGeneration"] = observed
    if status is not None:
        found["status"]["conditions"] = [{"type": "Ready", "status": status, "reason": reason}]
    return found


def test_a_condition_counts_only_of_the_newest_generation() -> None:
    assert conditions.ready(shown("True"))
    assert not conditions.ready(shown("True", generation=2))
    assert conditions.refusal(shown("False", generation=2, reason="Old")) is None
    assert conditions.refusal(shown("False", reason="New")) == "New"


@pytest.mark.parametrize("found", [None, shown(None), shown("Unknown"), shown("False")])
def test_what_is_not_there_or_not_true_is_not_ready(found: dict[str, Any] | None) -> None:
    assert not conditions.ready(found)


def test_an_object_that_no_controller_has_looked_at_is_in_trouble_after_a_longer_while_than_one_that_failed() -> None:
    unseen, failed = conditions.trouble(shown(None, observed=None)), conditions.trouble(shown("False", reason="No"))
    assert unseen is not None
    assert failed is not None
    assert unseen.patience > failed.patience
    assert conditions.trouble(shown("Unknown")) is None


def test_a_sink_binding_whose_service_is_on_its_way_is_in_no_trouble() -> None:
    assert conditions.trouble(shown("False", reason="SubjectMissing")) is None


def test_a_pod_that_no_node_has_room_for_may_get_it_later_and_an_image_that_cannot_be_pulled_will_not() -> None:
    pending = {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}}
    waiting = {"name": "user-container", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}
    full, unpulled = (
        conditions.pod_trouble(pending),
        conditions.pod_trouble({"status": {"containerStatuses": [waiting]}}),
    )
    assert full is not None
    assert unpulled is not None
    assert full.patience > unpulled.patience == 1
    assert unpulled.text == "user-container: ImagePullBackOff: no"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_container_that_is_being_made_is_in_no_trouble(reason: str) -> None:
    state = {"name": "user-container", "state": {"waiting": {"reason": reason}}}
    assert conditions.pod_trouble({"status": {"containerStatuses": [state]}}) is None


def steps(chain: str, **parameters: str) -> Mapping[Key, order.Step]:
    plan = plans.make(catalog.load(chain, parameters), "run")
    rendered = manifests.render(plan, manifests.Target("a", "dev.local/x:1", create_namespace=False))
    return {step.key: step for step in order.steps(rendered)}


def test_functions_that_only_call_each_other_wait_for_nobody() -> None:
    assert {step.after for step in steps("chained-serving").values()} == {frozenset()}


def test_an_event_edge_is_brought_up_broker_first_then_the_binding_the_functions_and_the_trigger_last() -> None:
    found = steps("chained-eventing")
    broker, binding = Key(BROKER, "default"), Key(SINK_BINDING, "producer")
    assert found[broker].after == frozenset()
    assert found[binding].after == {broker}
    assert (found[Key(KSVC, "producer")].binding, found[Key(KSVC, "producer")].after) == (binding, frozenset())
    assert found[Key(KSVC, "consumer")].binding is None
    assert found[Key(TRIGGER, "producer-to-consumer")].after == {broker, Key(KSVC, "consumer")}


def test_a_broker_waits_for_its_dead_letter_function_and_that_one_not_for_its_binding() -> None:
    delivery = {"deadLetterSink": {"ref": {"kind": "Service", "name": "buried"}}}
    service = {"apiVersion": KSVC.api_version, "kind": "Service", "metadata": {"name": "buried"}}
    binding = {
        "apiVersion": SINK_BINDING.api_version,
        "kind": "SinkBinding",
        "metadata": {"name": "buried"},
        "spec": {"subject": {"name": "buried"}, "sink": {"ref": {"kind": "Broker", "name": "b"}}},
    }
    broker = {
        "apiVersion": BROKER.api_version,
        "kind": "Broker",
        "metadata": {"name": "b"},
        "spec": {"delivery": delivery},
    }
    found = {step.key: step for step in order.steps([broker, binding, service])}
    assert found[Key(BROKER, "b")].after == {Key(KSVC, "buried")}
    assert found[Key(KSVC, "buried")].binding is None, "it would wait for itself"


def trigger(name: str, uid: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid}}


def channel(*uids: str, taken: Sequence[str] | None = None) -> dict[str, Any]:
    """A channel that is to send to these Triggers; `taken` are those that its dispatcher sends to (default: all)."""
    url = "http://broker-filter.knative-eventing.svc.cluster.local/triggers/a/name/"
    return {
        "metadata": {"name": "c"},
        "spec": {"subscribers": [{"uid": f"of {uid}", "subscriberUri": url + uid} for uid in uids]},
        "status": {
            "subscribers": [{"uid": f"of {uid}", "ready": "True"} for uid in (uids if taken is None else taken)],
        },
    }


@pytest.mark.parametrize(
    ("subscribed", "there", "ours", "told"),
    [
        (["1", "2"], ["1", "2"], ["1", "2"], []),
        (["1"], ["1", "2"], ["1", "2"], ["the Trigger t2 is not subscribed"]),
        (["1", "9"], ["1"], ["1"], ["a subscriber of a Trigger that is gone (9) gets each event and refuses it"]),
        (["1", "2"], ["1", "2"], ["1"], ["the Trigger t2, which is not of this run, gets its events too"]),
        ([], [], [], []),
    ],
)
def test_a_channel_sends_to_the_triggers_of_the_run_and_to_nobody_else(
    subscribed: Sequence[str], there: Sequence[str], ours: Sequence[str], told: Sequence[str]
) -> None:
    found = {each: trigger(f"t{each}", each) for each in (*there, *ours)}
    wrong = subscribers.mismatches(
        channel(*subscribed), [found[each] for each in there], [found[each] for each in ours]
    )
    assert wrong == list(told)


def test_a_trigger_that_the_channel_does_not_send_to_yet_is_told() -> None:
    ours = [trigger("a", "1"), trigger("b", "2")]
    told = ["the Trigger b is subscribed, and the channel does not send to it yet"]
    assert subscribers.mismatches(channel("1", "2", taken=["1"]), ours, ours) == told
    unsure = channel("1", "2")
    unsure["status"]["subscribers"][1]["ready"] = "Unknown"
    assert subscribers.mismatches(unsure, ours, ours) == told


def test_a_channel_without_subscribers_yet_is_no_error() -> None:
    assert subscribers.mismatches({"metadata": {"name": "c"}}, [], []) == []


def thing(name: str, owner: str | None = None, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": name, "labels": labels}
    if owner is not None:
        metadata["ownerReferences"] = [{"uid": owner}]
    return {"kind": "Thing", "apiVersion": "v1", "metadata": metadata}


def test_what_our_objects_made_is_ours_and_all_else_is_not() -> None:
    ours = {"run": "r", "by": "us"}
    objects = [
        thing("pod", owner="replicas"),
        thing("replicas", owner="service"),
        thing("service", run="r", by="us"),
        thing("theirs"),
        thing("of-theirs", owner="theirs"),
        thing("other-run", run="s", by="us"),
    ]
    assert [each["metadata"]["name"] for each in belongings.foreign(objects, ours)] == [
        "theirs",
        "of-theirs",
        "other-run",
    ]


def gateway(**more: Any) -> dict[str, Any]:
    ports = [{"port": 443}, {"port": 80, "nodePort": 31080}]
    return {"metadata": {"name": "kourier"}, "spec": {"clusterIP": "10.1.2.3", "ports": ports, **more}}


NODES = [
    {"status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "fd00::1"}]}}
]


def test_a_gateway_is_looked_for_at_its_load_balancer_then_in_the_cluster_then_on_the_nodes() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example"}]}}
    found = list(reach.gateway_addresses({**gateway(), "status": status}, NODES))
    assert found == ["192.0.2.1:80", "lb.example:80", "10.1.2.3:80", "[fd00::1]:31080"]


@pytest.mark.parametrize("more", [{"ports": []}, {"ports": None}, {"ports": [{"port": 443}]}])
def test_a_gateway_without_the_port_has_no_address(more: dict[str, Any]) -> None:
    assert list(reach.gateway_addresses(gateway(**more), NODES)) == []


def test_a_service_is_asked_for_by_the_host_of_its_url() -> None:
    service = {"metadata": {"name": "p"}, "status": {"url": "http://p.a.example.com"}}
    assert reach.authority(service) == "p.a.example.com"


@pytest.mark.parametrize("url", ["http://p.a.svc.cluster.local", "http://p.a.svc"])
def test_a_service_that_only_the_cluster_reaches_is_told_with_the_config_map_that_decides_it(url: str) -> None:
    with pytest.raises(EngineError, match="within the cluster only") as caught:
        reach.authority({"metadata": {"name": "p"}, "status": {"url": url}})
    assert "config-domain" in (caught.value.next_step or "")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost", ""])
def test_loopback_is_known_in_every_spelling(host: str) -> None:
    assert reach.is_loopback(host)
    assert not reach.is_loopback("192.0.2.7")


def rendered(chain: str) -> tuple[plans.Plan, list[dict[str, Any]]]:
    plan = plans.make(catalog.load(chain), "run")
    return plan, list(manifests.render(plan, manifests.Target("a", "dev.local/x:1")))


def test_what_the_templates_make_can_work() -> None:
    for chain in ("chained-serving", "chained-eventing", "chained-mixed"):
        fit.check(*rendered(chain))


def test_a_consumer_of_events_on_h2c_is_refused_before_anything_is_applied() -> None:
    plan, objects = rendered("chained-eventing")
    (consumer,) = [each for each in objects if Key.of(each) == Key(KSVC, "consumer")]
    consumer["spec"]["template"]["spec"]["containers"][0]["ports"][0]["name"] = "h2c"
    with pytest.raises(EngineError, match="consumer gets events, and its port is named h2c"):
        fit.check(plan, objects)


def test_an_entry_that_only_the_cluster_sees_is_refused_before_anything_is_applied() -> None:
    plan, objects = rendered("chained-serving")
    (entry,) = [each for each in objects if Key.of(each) == Key(KSVC, "producer")]
    entry["metadata"]["labels"]["networking.knative.dev/visibility"] = "cluster-local"
    with pytest.raises(EngineError, match="visible inside the cluster only"):
        fit.check(plan, objects)


def test_a_program_that_is_built_on_this_machine_is_refused_before_anything_is_applied() -> None:
    with pytest.raises(EngineError, match="'render' has a program that is prepared on this machine"):
        fit.check(*rendered("polyglot"))
