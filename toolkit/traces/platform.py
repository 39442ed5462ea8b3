"""Which part of the platform made a span: Knative's and its ingress' own components, told from functions and callers.

May live here: telling, by what a span says of itself. Every generation of Knative is known: up to 1.18 OpenCensus
(Zipkin, other service names, no scopes), from 1.19 OpenTelemetry. Names of server spans prove nothing, they change
with the HTTP library; what is relied on are resources, instrumentation scopes, Knative's own inner spans and, for who
has none of these, the service's name. A tag is told alike whether it came by our own intake or by way of the
OpenTelemetry Collector, which calls a scope `otel.library.name`.
Source: `cmd/activator`, `pkg/queue/sharedmain` (serving), `cmd/broker`, `pkg/kncloudevents`, `pkg/broker` (eventing),
`pkg/reconciler/ingress/config` (net-kourier), `resource_provider.h` (Envoy), and what a real cluster exported.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from functools import lru_cache
from typing import Literal, get_args

from toolkit.traces.expect import MESSAGE_TAG
from toolkit.traces.model import Span
from toolkit.traces.segments import What

Part = Literal["broker ingress", "channel dispatcher", "broker filter", "gateway", "activator", "queue-proxy"]
PARTS: tuple[Part, ...] = get_args(Part)  # in the order in which an event passes them; a call passes the last three

_ENVOY = "envoy"  # in place of a scope
_OTELHTTP = "go.opentelemetry.io/contrib/instrumentation/net/http/"
_SCOPES: tuple[tuple[str, Part], ...] = (
    ("knative.dev/serving/pkg/queue", "queue-proxy"),
    ("knative.dev/serving/pkg/activator", "activator"),
    ("knative.dev/pkg/broker/ingress", "broker ingress"),
    ("knative.dev/pkg/broker/filter", "broker filter"),
)
_INNER: dict[str, Part] = {  # spans without a kind, which no handler would name so
    "throttler_try": "activator",
    "activator_proxy": "activator",
    "queue_wait": "queue-proxy",
    "queue_proxy": "queue-proxy",
}
_WAITS: dict[tuple[Part, str], What] = {
    ("activator", "throttler_try"): "cold wait",
    ("queue-proxy", "kn.queueproxy.wait"): "queue",
    ("queue-proxy", "queue_wait"): "queue",
}
_OWN: dict[Part, What] = {
    "broker ingress": "broker ingress",
    "channel dispatcher": "dispatch",
    "broker filter": "filter",
    "gateway": "gateway",
    "activator": "proxy",
    "queue-proxy": "proxy",
}
_SERVICES: dict[str, Part] = {
    "activator": "activator",
    "activator-service": "activator",
    "broker.ingress": "broker ingress",
    "broker.filter": "broker filter",
    "inmemorychannel-dispatcher": "channel dispatcher",
    "imc-dispatcher": "channel dispatcher",
    "kafka-broker-receiver": "broker ingress",
    "kafka-broker-dispatcher": "channel dispatcher",  # filters as well: it has a consumer for each trigger
    "kourier-knative": "gateway",
    "kourier": "gateway",
    "unknown_service:envoy": "gateway",
}
_NAMESPACED: tuple[tuple[re.Pattern[str], Part], ...] = (  # OpenCensus: service.namespace, or a pod
    (re.compile(r"(mt-)?broker-ingress(\.[a-z0-9-]+)?"), "broker ingress"),
    (re.compile(r"(mt-)?broker-filter(\.[a-z0-9-]+)?"), "broker filter"),
    (re.compile(r"istio-ingressgateway(\.[a-z0-9-]+)?"), "gateway"),
    (re.compile(r"[a-z0-9-]+-deployment-[0-9a-f]{6,10}-[a-z0-9]{5}"), "queue-proxy"),
)


def part(span: Span, functions: Container[str] = ()) -> Part | None:
    """The part of the platform that made this span; None for a function's, a caller's, or anybody else's.

    `functions` are the services of the chain: queue-proxy speaks under their names, and a function may be called
    `activator`. A span about a message of ours is never the platform's.
    """
    tags = span.tags
    if MESSAGE_TAG in tags:
        return None
    name, service, kind = span.name, span.service or "", span.kind
    inner = name if kind is None and name in _INNER else "kn.queueproxy." if name.startswith("kn.queueproxy.") else ""
    scope = tags.get("otel.scope.name") or tags.get("otel.library.name") or ""
    if tags.get("telemetry.sdk.name") == "envoy" or (tags.get("component") == "proxy" and "upstream_cluster" in tags):
        scope = _ENVOY
    queue = "queue-proxy" in (tags.get("container.name"), tags.get("k8s.container.name"))
    return _told(service, service in functions, inner, scope, queue, "kn.service.name" in tags)


def what_of(span: Span, made_by: Part) -> What:
    """What this part of the platform did while none of the spans below this one was at work. A request of its own is on
    the network then."""
    if span.kind is None:
        return _WAITS.get((made_by, span.name)) or _OWN[made_by]
    return "network" if span.kind in ("CLIENT", "PRODUCER") else _OWN[made_by]


@lru_cache(maxsize=4096)  # a cluster has few services, and a trace many spans
def _told(service: str, of_chain: bool, inner: str, scope: str, queue: bool, serving: bool) -> Part | None:
    if queue or inner == "kn.queueproxy.":
        return "queue-proxy"
    if scope == _ENVOY:
        return "gateway"
    if inner:
        return _INNER[inner]
    if (found := next((made_by for prefix, made_by in _SCOPES if scope.startswith(prefix)), None)) is not None:
        return found
    if scope.startswith((_OTELHTTP, "knative.dev/")):  # Go, and no function of ours is
        return _by_service(service) or ("queue-proxy" if of_chain or serving else None)
    return None if of_chain else _by_service(service)


def is_platform(span: Span, functions: Container[str] = ()) -> bool:
    return part(span, functions) is not None


def parts(spans: Iterable[Span]) -> frozenset[Part]:
    """All parts of the platform that have a span among these."""
    listed = list(spans)
    functions = chains_own(listed)
    return frozenset(found for span in listed if (found := part(span, functions)) is not None)


def chains_own(spans: Iterable[Span]) -> frozenset[str]:
    """The services that said something about a message: functions and the caller."""
    return frozenset(span.service for span in spans if span.service and MESSAGE_TAG in span.tags)


def _by_service(service: str) -> Part | None:
    if (found := _SERVICES.get(service)) is not None:
        return found
    return next((each for pattern, each in _NAMESPACED if pattern.fullmatch(service)), None)
