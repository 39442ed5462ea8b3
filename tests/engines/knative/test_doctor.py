"""`toolkit doctor` on clusters in miniature: what is named, what is missing, and the command that mends it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.engines.knative.fake import FakeCluster, status
from tests.engines.knative.knative import EVENTING, SERVING, Knative
from toolkit.engines.findings import Finding, State
from toolkit.engines.knative import doctor, tracing
from toolkit.engines.knative.settings import Audience
from toolkit.engines.local import doctor as local

ENDPOINT = "http://10.0.0.1:4318/v1/traces"


@pytest.fixture
async def gateway() -> AsyncIterator[int]:
    """The port of something that takes connections on this machine, as a node's gateway would."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
def knative(gateway: int) -> Knative:
    return reachable(Knative(FakeCluster()).install(), gateway)


def reachable(knative: Knative, port: int) -> Knative:
    """With a node that is ready, and a gateway that takes connections on it."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    addresses = {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}]}
    service = {"clusterIP": "None", "ports": [{"port": 80, "nodePort": port}]}
    knative.cluster.put(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {**ready, **addresses}}
    )
    place = {"name": "kourier", "namespace": "kourier-system"}
    knative.cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": service})
    knative.cluster.replies["GET /version"] = [(200, {"gitVersion": "v1.35.4"})] * 9
    return knative


async def examine(knative: Knative, namespace: str | None = None) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for each in await doctor.examine(knative.cluster.api, namespace):
        found.setdefault(each.topic, []).append(each)
    return found


def worst(found: dict[str, list[Finding]]) -> set[str]:
    """The topics without which no chain runs."""
    return {topic for topic, each in found.items() if any(one.state is State.MISSING for one in each)}


async def test_a_whole_cluster_is_named_and_nothing_is_changed(knative: Knative, gateway: int) -> None:
    before = copy.deepcopy(knative.cluster.objects)
    found = await examine(knative)
    assert worst(found) == set()
    assert {topic: each[0].text for topic, each in found.items() if topic != "tracing"} == {
        "kubernetes": "v1.35.4, 1 of 1 nodes ready",
        "serving": "1.23.0",
        "ingress": f"kourier 1.21 (v0.48.0), takes connections from here at 127.0.0.1:{gateway}",
        "domain": "example.com",
        "features": "all that chains may ask for are on",
        "eventing": "1.23.0",
        "broker": "MTChannelBasedBroker; the default is MTChannelBasedBroker",
        "channel": "InMemoryChannel for brokers",
        "pods": 'each chain makes a namespace of its own, with pod security "restricted"',
        "rights": "all that chains need in any namespace",
    }
    assert knative.cluster.objects == before


async def test_a_platform_that_sends_no_spans_is_a_remark_with_the_command(knative: Knative) -> None:
    (found,) = (await examine(knative))["tracing"]
    assert (found.state, found.mend) == (State.REMARK, "toolkit tracing setup")
    assert "knative-serving/config-observability, knative-eventing/config-observability" in found.text
    await tracing.setup(knative.cluster.api, tracing.Wish(endpoint=ENDPOINT), Audience())
    (found,) = (await examine(knative))["tracing"]
    assert found.text == f"every part: http/protobuf to {ENDPOINT}, 1 of all requests"
    knative.say(EVENTING, "config-observability", tracing_sampling_rate=None)
    (found,) = (await examine(knative))["tracing"]
    assert "only a part of the platform sends spans" in found.text
    assert "knative-eventing/config-observability: off (a sampling rate of 0)" in found.text


async def test_settings_of_the_other_age_are_told_to_be_read_by_nobody(knative: Knative) -> None:
    knative.say(SERVING, "config-tracing", backend="zipkin", zipkin_endpoint="http://zipkin:9411/api/v2/spans")
    texts = [each.text for each in (await examine(knative))["tracing"]]
    told = "knative-serving/config-tracing is set, and this release reads knative-serving/config-observability instead"
    assert told in texts


async def test_up_to_1_18_config_tracing_is_what_counts(gateway: int) -> None:
    knative = reachable(
        Knative(FakeCluster(), serving="1.18.0", eventing="1.18.0", kourier="1.18.0").install(), gateway
    )
    found = (await examine(knative))["tracing"]
    assert "off in knative-serving/config-tracing, knative-eventing/config-tracing" in found[0].text
    assert "Kourier 1.18.0 sends no OTLP" in found[1].text


@pytest.mark.parametrize(
    ("say", "text"),
    [
        ({"tracing_protocol": "http"}, "tracing-protocol is 'http', with which Kourier's controller does not start"),
        ({"tracing_endpoint": "http://host/v1/traces"}, "has no port, so Kourier's controller does not start"),
        ({"tracing_endpoint": "http://[::1/v1"}, "has no port"),
    ],
)
async def test_a_gateway_whose_controller_will_not_start_is_missing(
    knative: Knative, say: dict[str, str], text: str
) -> None:
    knative.say(SERVING, "config-kourier", **{"tracing_endpoint": ENDPOINT, **say})
    found = await examine(knative)
    assert worst(found) == {"tracing"}
    assert any(text in each.text and each.mend for each in found["tracing"])


@pytest.mark.parametrize(
    ("say", "text"),
    [
        ({"tracing_protocol": "zipkin"}, "tracing-protocol is 'zipkin', which is none of http/protobuf, grpc, stdout"),
        ({"tracing_protocol": ""}, "tracing-protocol is '', which is none of"),
        ({"tracing_protocol": None}, "tracing-endpoint is there, and tracing-protocol is none"),
        ({"tracing_protocol": "stdout"}, "tracing-endpoint is there, and tracing-protocol is stdout"),
        (
            {"tracing_protocol": "grpc", "tracing_endpoint": None},
            "tracing-protocol is grpc, and tracing-endpoint is not",
        ),
        ({"tracing_sampling_rate": "10%"}, "tracing-sampling-rate is '10%', which is no number from 0 to 1"),
        ({"tracing_sampling_rate": "100"}, "tracing-sampling-rate is '100', which is no number from 0 to 1"),
    ],
)
@pytest.mark.parametrize("part", [SERVING, EVENTING])
async def test_settings_with_which_knative_s_own_parts_will_not_start_are_missing(
    knative: Knative, part: str, say: dict[str, str | None], text: str
) -> None:
    whole = {"tracing_protocol": "http/protobuf", "tracing_endpoint": ENDPOINT, "tracing_sampling_rate": "1"}
    knative.say(part, "config-observability", **{**whole, **say})
    found = await examine(knative)
    assert worst(found) == {"tracing"}
    (told,) = (each for each in found["tracing"] if each.state is State.MISSING)
    assert told.text.startswith(f"{part}/config-observability: {text}")
    assert told.mend == "toolkit tracing setup"


async def test_spans_in_knative_s_logs_are_as_good_as_none(knative: Knative) -> None:
    knative.say(SERVING, "config-observability", tracing_protocol="stdout", tracing_sampling_rate="1")
    found = await examine(knative)
    assert worst(found) == set()
    assert "the platform sends no spans" in found["tracing"][0].text


async def test_a_release_that_nobody_can_tell_is_a_remark(knative: Knative) -> None:
    for name in ("config-observability", "config-tracing"):
        knative.config_map(SERVING, name, {}, labels={"app.kubernetes.io/version": "devel"})
    knative.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERVING}})
    found = await examine(knative)
    assert worst(found) == set()
    assert "it cannot be told which release of Knative Serving this is (devel)" in found["tracing"][0].text


async def test_spans_that_nobody_takes_are_told(knative: Knative) -> None:
    await tracing.setup(knative.cluster.api, tracing.Wish(), Audience())
    assert len((await examine(knative))["tracing"]) == 1
    del knative.cluster.objects["/api/v1/namespaces/kn-bench-tracing/services/otel-collector"]
    told = (await examine(knative))["tracing"][1]
    assert "no Service otel-collector is seen in the namespace kn-bench-tracing" in told.text


@pytest.mark.parametrize(("born", "told"), [("2026-01-01T00:00:00Z", True), ("2026-01-03T00:00:00Z", False)])
async def test_who_started_before_the_settings_came_is_told_to_be_restarted(
    knative: Knative, born: str, told: bool
) -> None:
    entry = {"time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:data": {"f:tracing-endpoint": {}}}}
    knative.config_map(EVENTING, "config-observability", {"tracing-endpoint": ENDPOINT}, managedFields=[entry])
    for name in ("mt-broker-filter", "imc-dispatcher"):
        pod = {"name": f"{name}-1", "namespace": EVENTING, "labels": {"app": name}, "creationTimestamp": born}
        knative.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": pod})
    mends = [each.mend for each in (await examine(knative))["tracing"]]
    restart = "kubectl rollout restart deployment mt-broker-filter imc-dispatcher -n knative-eventing"
    assert (restart in mends) is told


async def test_without_serving_no_chain_runs(gateway: int) -> None:
    knative = reachable(Knative(FakeCluster(), serving=None, kourier=None).install(), gateway)
    del knative.cluster.resources["serving.knative.dev/v1"]
    found = await examine(knative)
    assert "serving" in worst(found)
    assert (found["serving"][0].text, found["serving"][0].mend) == (
        "Knative Serving is not installed",
        "install it: https://knative.dev/docs/install",
    )
    assert {"domain", "features", "tracing"} & found.keys() == set()


async def test_without_eventing_chains_of_calls_still_run(gateway: int) -> None:
    knative = reachable(Knative(FakeCluster(), eventing=None).install(), gateway)
    del knative.cluster.resources["eventing.knative.dev/v1"]
    found = await examine(knative)
    assert worst(found) == set()
    assert found["eventing"][0].text == (
        "Knative Eventing is not installed; chains without event edges run all the same"
    )
    assert "broker" not in found


async def test_a_part_that_does_not_run_is_named(knative: Knative) -> None:
    path = f"/apis/apps/v1/namespaces/{SERVING}/deployments/activator"
    knative.cluster.objects[path]["status"] = {"conditions": [{"type": "Available", "status": "False"}]}
    (found,) = (await examine(knative))["serving"]
    assert found.text == "1.23.0, and not available: activator"
    assert found.mend == "kubectl describe pods -n knative-serving"


async def test_no_domain_of_its_own_keeps_calls_out_and_the_command_says_so(knative: Knative) -> None:
    for data in ({"_example": "x"}, {"svc.cluster.local": ""}, {"example.com": "selector:\n  app: x\n"}):
        knative.config_map(SERVING, "config-domain", data)
        (found,) = (await examine(knative))["domain"]
        assert (found.state, "kubectl patch configmap config-domain" in (found.mend or "")) == (State.MISSING, True)


async def test_an_ingress_that_takes_no_connection_is_missing(knative: Knative) -> None:
    knative.cluster.objects.pop("/api/v1/namespaces/kourier-system/services/kourier")
    (found,) = (await examine(knative))["ingress"]
    assert (found.state, "--ingress HOST:PORT" in (found.mend or "")) == (State.MISSING, True)


async def test_a_feature_that_is_off_is_told_with_the_key_that_needs_it(knative: Knative) -> None:
    knative.config_map(SERVING, "config-features", {"kubernetes.podspec-nodeselector": "disabled"})
    (found,) = (await examine(knative))["features"]
    assert found.state is State.REMARK
    assert found.text == "kubernetes.podspec-nodeselector is off, which node-selector in a chain.yaml needs"
    assert '{"data":{"kubernetes.podspec-nodeselector":"enabled"}}' in str(found.mend)
    knative.config_map(EVENTING, "config-features", {"delivery-timeout": "Disabled"})
    (_, found) = (await examine(knative))["features"]
    assert found.text == "delivery-timeout is off, which delivery.timeout in a chain.yaml needs"


@pytest.mark.parametrize("text", ["", "{", "[]", "clusterDefault: 7", "clusterDefault:\n  brokerClass: Kafka", "\x00"])
async def test_whatever_the_broker_defaults_say_is_shown_or_passed_over(knative: Knative, text: str) -> None:
    knative.config_map(EVENTING, "config-br-defaults", {"default-br-config": text})
    (found,) = (await examine(knative))["broker"]
    assert (found.state, "the default is" in found.text) == (State.OK, True)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", "no kind of channel"),
        ("apiVersion: messaging.knative.dev/v1beta1\nkind: KafkaChannel", "and it is not installed"),
        ("apiVersion: serving.knative.dev/v1\nkind: Service", "only verified of InMemoryChannel"),
    ],
)
async def test_another_channel_under_the_broker_is_told(knative: Knative, template: str, text: str) -> None:
    knative.config_map(EVENTING, "config-br-default-channel", {"channel-template-spec": template})
    (found,) = (await examine(knative))["channel"]
    assert (found.state, text in found.text) == (State.REMARK, True)


async def test_each_right_that_is_lacking_is_named_with_what_an_administrator_types(knative: Knative) -> None:
    knative.cluster.user = "system:serviceaccount:mine:robot"
    knative.cluster.allows = lambda asked: (
        (asked["resource"], asked["verb"]) not in (("revisions", "list"), ("pods", "get"))
    )
    (found,) = (await examine(knative, "mine"))["rights"]
    assert found.text == "you may not list revisions.serving.knative.dev, get pods, get pods/log in the namespace mine"
    assert str(found.mend).splitlines() == [
        "kubectl create role kn-bench-1 -n mine --verb=list --resource=revisions.serving.knative.dev",
        "kubectl create rolebinding kn-bench-1 -n mine --role=kn-bench-1 --serviceaccount=mine:robot",
        "kubectl create role kn-bench-2 -n mine --verb=get --resource=pods,pods/log",
        "kubectl create rolebinding kn-bench-2 -n mine --role=kn-bench-2 --serviceaccount=mine:robot",
    ]
    assert worst(await examine(knative, "mine")) == {"rights"}


async def test_rights_that_only_events_need_are_a_remark_and_elsewhere_a_namespace_helps(knative: Knative) -> None:
    knative.cluster.allows = lambda asked: asked["resource"] != "triggers"
    assert worst(await examine(knative, "mine")) == set()
    knative.cluster.allows = lambda asked: asked.get("namespace") == "mine"
    assert worst(await examine(knative, "mine")) == set()
    (found,) = (await examine(knative))["rights"]
    assert (found.state, found.mend) == (State.MISSING, "name a namespace in which you may with -n NAME")


def forbidden(resource: str, group: str, place: str) -> str:
    return (
        f'{resource} is forbidden: User "jo" cannot get resource "{resource}" in API group "{group}" '
        f'in the namespace "{place}"'
    )


async def test_what_may_not_be_seen_keeps_nothing_else_from_being_seen(knative: Knative) -> None:
    place = f"GET /api/v1/namespaces/{SERVING}/configmaps"
    knative.cluster.replies[place] = [status(403, "Forbidden", forbidden("configmaps", "", SERVING))] * 99
    found = await examine(knative, "mine")
    assert worst(found) == set()
    assert {topic for topic, each in found.items() if each[0].state is State.UNSEEN} == {
        *("domain", "features", "tracing", "sight"),
    }
    assert found["domain"][0].text == "you may not get configmaps in the namespace knative-serving"
    assert found["serving"][0].text.startswith("installed; which release cannot be seen: you may not get configmaps")
    assert found["ingress"][0].text.startswith("of a class that cannot be seen, takes connections from here at ")
    assert str(found["sight"][0].mend).splitlines() == [
        "kubectl create role kn-bench-see-configmaps -n knative-serving --verb=get,list --resource=configmaps",
        "kubectl create rolebinding kn-bench-see-configmaps -n knative-serving --role=kn-bench-see-configmaps "
        "--user=somebody",
    ]


async def test_an_ingress_that_may_not_be_seen_is_not_one_that_is_missing(knative: Knative) -> None:
    refused: list[tuple[int, object] | Exception] = [status(403, "Forbidden", forbidden("configmaps", "", SERVING))] * 9
    knative.cluster.replies[f"GET /api/v1/namespaces/{SERVING}/configmaps/config-network"] = refused
    knative.cluster.objects.pop("/api/v1/namespaces/kourier-system/services/kourier")
    (found,) = (await examine(knative))["ingress"]
    assert (found.state, "--ingress HOST:PORT" in (found.mend or "")) == (State.UNSEEN, True)


async def test_a_namespace_that_is_ending_takes_no_chain(knative: Knative) -> None:
    metadata = {"name": "mine", "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}
    knative.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert 'enforces pod security "baseline", which our pods meet' in (await examine(knative, "mine"))["pods"][0].text
    metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    knative.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    assert worst(await examine(knative, "mine")) == {"pods"}


def test_this_machine_can_run_chains() -> None:
    found: Sequence[Finding] = local.examine()
    assert [each.topic for each in found] == ["python", "libraries", "ports", "processors"]
    assert {each.state for each in found} <= {State.OK, State.REMARK}


def test_what_this_machine_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "OLDEST", (99, 0))
    monkeypatch.setattr(local, "NEEDED", ("no-such-library",))
    monkeypatch.setattr(local, "PORTS", 10**6)
    found = {each.topic: each for each in local.examine()}
    assert [found[each].state for each in ("python", "libraries", "ports")] == [State.MISSING] * 3
    assert all(found[each].mend for each in ("python", "libraries", "ports"))
