"""Which part of the platform made a span, for every generation of Knative and both ways into a store."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.unit.traces.made import span
from tests.unit.traces.recorded import COLD, EVENT, RECORDED, WARM
from toolkit.traces import zipkin
from toolkit.traces.model import Kind
from toolkit.traces.platform import PARTS, chains_own, is_platform, part, parts

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
