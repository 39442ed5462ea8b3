"""Which part of the platform made a span, for every generation of Knative and both ways into a store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.traces.made import span
from tests.unit.traces.recorded import COLD, EVENT, RECORDED, WARM
from toolkit.traces import zipkin
from toolkit.traces.model import Kind
from toolkit.traces.platform import PARTS, chains_own, is_platform, part, parts, what_of
from toolkit.traces.segments import What

BY_COLLECTOR = zipkin.decode((Path(__file__).parent / "platform-spans-collector.json").read_bytes())
OTELHTTP = {"otel.scope.name": "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"}


def test_every_span_that_a_real_cluster_exported_is_known() -> None:
    assert Counter(map(part, EVENT)) == {
        "broker ingress": 5, "channel dispatcher": 7, "broker filter": 11, "activator": 4, "queue-proxy": 3,
    }  # fmt: skip
    assert Counter(map(part, COLD)) == Counter(map(part, WARM)) == {"activator": 4, "queue-proxy": 4}


def test_a_span_that_came_through_the_collector_is_told_alike() -> None:
    """`platform-spans-collector.json` is what its Zipkin exporter (v0.155) made of the same spans."""
    ours = {each.id: each for spans in RECORDED.values() for each in spans}
    assert {each.id: part(each) for each in BY_COLLECTOR} == {key: part(each) for key, each in ours.items()}
    for theirs in BY_COLLECTOR:
        own = ours[theirs.id]
        assert (theirs.parent, theirs.kind, theirs.name, theirs.service) == (
            own.parent,
            own.kind,
            own.name,
            own.service,
        )
        assert abs((theirs.timestamp or 0) - (own.timestamp or 0)) <= 1  # they round, the specification cuts
        told = {key: text for key, text in own.tags.items() if not key.startswith(("otel.", "network.peer."))}
        assert told.items() <= theirs.tags.items()


@pytest.mark.parametrize(
    ("service", "name", "kind", "wanted"),
    [
        ("activator-service", "/", "SERVER", "activator"),
        ("activator-service", "throttler_try", None, "activator"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "/", "SERVER", "queue-proxy"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "queue_wait", None, "queue-proxy"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "queue_proxy", None, "queue-proxy"),
        ("broker-ingress.knative-eventing", "broker:default.chain", None, "broker ingress"),
        ("broker-filter.knative-eventing", "trigger:t.chain", None, "broker filter"),
        ("imc-dispatcher", "knative.dev", "CLIENT", "channel dispatcher"),
        ("activator", "handle", "SERVER", "activator"),
        ("kourier-knative", "ingress", "SERVER", "gateway"),
        ("istio-ingressgateway.istio-system", "producer.default", "SERVER", "gateway"),
        ("kafka-broker-receiver", "kafka_send", "PRODUCER", "broker ingress"),
        ("kafka-broker-dispatcher", "kafka_receive", "CONSUMER", "channel dispatcher"),
        ("producer", "queue_proxy", "SERVER", None),
        ("producer", "work", None, None),
        ("caller", "say", "CLIENT", None),
        ("my-deployment-0a1b2c-abcde-x", "work", None, None),
        (None, "work", None, None),
    ],
)
def test_without_scopes_the_service_tells(
    service: str | None, name: str, kind: Kind | None, wanted: str | None
) -> None:
    assert part(span(1, service, kind, name=name)) == wanted


@pytest.mark.parametrize("tag", ["container.name", "k8s.container.name"])
def test_queue_proxy_speaks_under_the_functions_name(tag: str) -> None:
    assert part(span(1, "producer", "SERVER", tags={tag: "queue-proxy"}), ["producer"]) == "queue-proxy"
    assert part(span(1, "producer", "SERVER", tags={tag: "user-container"}), ["producer"]) is None


@pytest.mark.parametrize("scope", ["otel.scope.name", "otel.library.name"])
def test_a_scope_tells_by_either_name(scope: str) -> None:
    assert part(span(1, "x", tags={scope: "knative.dev/serving/pkg/queue"})) == "queue-proxy"
    assert part(span(1, "x", tags={scope: "knative.dev/serving/pkg/activator"})) == "activator"
    assert part(span(1, "x", tags={scope: "knative.dev/pkg/broker/filter"})) == "broker filter"


def test_envoy_says_that_it_is_whatever_it_is_called() -> None:
    assert part(span(1, "my-gateway", "SERVER", tags={"telemetry.sdk.name": "envoy"})) == "gateway"
    assert part(span(1, "edge", "SERVER", tags={"component": "proxy", "upstream_cluster": "c"})) == "gateway"
    assert part(span(1, "edge", "SERVER", tags={"component": "proxy"})) is None


def test_a_program_of_somebody_else_is_not_the_platforms() -> None:
    assert part(span(1, "shop", "SERVER", tags=OTELHTTP)) is None
    assert part(span(1, "shop", "SERVER", tags={"otel.scope.name": "grpc.aio"}), ["shop"]) is None


def test_a_function_may_have_the_name_of_a_part() -> None:
    assert part(span(1, "activator", "SERVER", message="m")) is None
    assert part(span(1, "activator", "SERVER"), ["activator"]) is None
    assert part(span(1, "activator", "SERVER", tags=OTELHTTP), ["activator"]) == "activator"
    assert part(span(1, "activator", "SERVER", tags={**OTELHTTP, "container.name": "queue-proxy"})) == "queue-proxy"


def test_what_is_about_a_message_is_the_chains_own() -> None:
    spans = [span(1, "a", message="m", tags={"container.name": "queue-proxy"}), span(2, "b")]
    assert not is_platform(spans[0])
    assert chains_own(spans) == {"a"}


def test_the_parts_of_a_trace_come_in_the_order_of_an_event() -> None:
    assert [each for each in PARTS if each in parts(EVENT)] == [*PARTS[:3], "activator", "queue-proxy"]


SCOPES = {
    "activator": "knative.dev/serving/pkg/activator",
    "queue-proxy": "knative.dev/serving/pkg/queue",
    "broker.ingress": "knative.dev/pkg/broker/ingress",
    "broker.filter": "knative.dev/pkg/broker/filter",
}


@pytest.mark.parametrize(
    ("service", "name", "kind", "wanted"),
    [  # up to 1.18, then from 1.19 on: server spans are `handle` and `queue`, and `POST` from 1.23
        ("activator-service", "/", "SERVER", "proxy"),
        ("activator-service", "throttler_try", None, "cold wait"),
        ("activator-service", "activator_proxy", None, "proxy"),
        ("activator-service", "/", "CLIENT", "network"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "/", "SERVER", "proxy"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "queue_wait", None, "queue"),
        ("producer-00001-deployment-6d4cf56db6-x7k2p", "queue_proxy", None, "proxy"),
        ("broker-ingress.knative-eventing", "broker:default.chain", None, "broker ingress"),
        ("broker-filter.knative-eventing", "trigger:t.chain", None, "filter"),
        ("imc-dispatcher", "knative.dev", "CLIENT", "network"),
        ("activator", "handle", "SERVER", "proxy"),
        ("activator", "post", "SERVER", "proxy"),
        ("activator", "throttler_try", None, "cold wait"),
        ("activator", "post /helloworld.greeter/sayhello", "CLIENT", "network"),
        ("queue-proxy", "queue", "SERVER", "proxy"),
        ("queue-proxy", "post", "SERVER", "proxy"),
        ("queue-proxy", "kn.queueproxy.wait", None, "queue"),
        ("queue-proxy", "kn.queueproxy.proxy", None, "proxy"),
        ("queue-proxy", "http post", "CLIENT", "network"),
        ("broker.ingress", "kncloudevents.receive", "SERVER", "broker ingress"),
        ("broker.ingress", "broker:default.chain", None, "broker ingress"),
        ("broker.ingress", "send http://channel.chain.svc.cluster.local", None, "broker ingress"),
        ("broker.filter", "post", "SERVER", "filter"),
        ("broker.filter", "trigger:t.chain", None, "filter"),
        ("inmemorychannel-dispatcher", "send http://broker-filter.knative-eventing", None, "dispatch"),
        ("inmemorychannel-dispatcher", "post /triggers/chain/t/1", "CLIENT", "network"),
        ("kourier-knative", "ingress", "SERVER", "gateway"),
        ("kafka-broker-receiver", "kafka_send", "PRODUCER", "network"),
        ("kafka-broker-dispatcher", "kafka_receive", "CONSUMER", "dispatch"),
    ],
)
def test_every_generations_spans_say_what_their_time_was_spent_on(
    service: str, name: str, kind: Kind | None, wanted: What
) -> None:
    tags = {"otel.scope.name": SCOPES[service]} if service in SCOPES else {}
    made = span(1, service, kind, name=name, tags=tags)
    made_by = part(made)
    assert made_by is not None
    assert what_of(made, made_by) == wanted


def test_the_name_of_a_span_in_one_part_is_no_name_in_another() -> None:
    told = {"container.name": "queue-proxy"}
    assert part(span(1, "producer", None, name="throttler_try", tags=told)) == "queue-proxy"
    assert part(span(1, "producer", "SERVER", name="throttler_try")) is None
    assert what_of(span(1, "activator", "SERVER", name="throttler_try"), "activator") == "proxy"
    assert what_of(span(1, "producer", None, name="throttler_try"), "queue-proxy") == "proxy"
