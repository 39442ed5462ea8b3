"""One OpenTelemetry span as a span of Zipkin's: the mapping, without the request that it came in.

The rules are those of the OpenTelemetry specification ("OpenTelemetry to Zipkin Transformation", "mapping to non-OTLP
formats"). What they leave open is done as the Collector's Zipkin exporter does it, so that both ways into a store give
spans that can be told alike: the resource's attributes become tags of every span, `tracestate` is `w3c.tracestate`.
May live here: reading messages that are given. May not: HTTP, and whether a request may be taken.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.traces import wire

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

UNNAMED = "unknown_service"  # the SDKs' own name for a resource that has none
SCOPE_TAG, SCOPE_VERSION_TAG = "otel.scope.name", "otel.scope.version"
MOST_ELEMENTS = 1000  # of a list or map in one attribute; what follows is counted, not told

_KINDS = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}  # opentelemetry.proto.trace.v1.Span.SpanKind
_OK, _ERROR = 1, 2  # opentelemetry.proto.trace.v1.Status.StatusCode
_PEERS = (  # (who, its port), the best first
    ("peer.service", None),
    ("server.address", "server.port"),
    ("net.peer.name", "net.peer.port"),
    ("network.peer.address", "network.peer.port"),
    ("server.socket.domain", "server.socket.port"),
    ("server.socket.address", "server.socket.port"),
    ("net.sock.peer.name", "net.sock.peer.port"),
    ("net.sock.peer.addr", "net.sock.peer.port"),
    ("peer.hostname", None),
    ("peer.address", None),
    ("db.name", None),
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What all spans of one scope of one resource have in common."""

    service: str
    tags: Mapping[str, str]

    @property
    def size(self) -> int:
        """Characters that each of its spans repeats."""
        return sum(len(key) + len(text) for key, text in self.tags.items())


def origin(resource: Resource, scope: InstrumentationScope) -> Origin:
    """The service, and the tags that its spans share. `service.name` is the endpoint's and no tag."""
    tags = tags_of(resource.attributes)
    service = tags.pop("service.name", "") or UNNAMED
    if scope.name:
        tags[SCOPE_TAG] = scope.name
    if scope.version:
        tags[SCOPE_VERSION_TAG] = scope.version
    return Origin(service, tags)


def fields(span: Span, of: Origin) -> dict[str, Any]:
    """The span in Zipkin's normal form. Raises wire.Refused when its ids are none."""
    own = tags_of(span.attributes)
    kind = _KINDS.get(span.kind)
    raw: dict[str, Any] = {
        "traceId": _id("traceId", span.trace_id, 16),
        "parentId": _id("parentSpanId", span.parent_span_id, 8) if span.parent_span_id else None,
        "id": _id("spanId", span.span_id, 8),
        "kind": kind,
        "name": span.name,
        "timestamp": span.start_time_unix_nano // 1000,
        "duration": _duration_us(span),
        "localEndpoint": {"serviceName": of.service},
        "remoteEndpoint": _remote(kind, own),
        "annotations": [_annotation(event, span) for event in span.events] or None,
        "tags": _tags(span, {**of.tags, **own}),
    }
    return wire.normal(raw)


def _id(key: str, value: bytes, size: int) -> str:
    if len(value) != size:
        raise wire.Refused(f"{key} has {len(value)} bytes, not {size}")
    return value.hex()


def _duration_us(span: Span) -> int | None:
    """Whole microseconds, and one at least: Zipkin takes 0 for an unknown duration. None when a time is missing."""
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return max(1, (end - start) // 1000) if start and end >= start else None


def _tags(span: Span, tags: dict[str, str]) -> dict[str, str]:
    tags.pop("error", None)  # Zipkin takes any text for a failure, "false" as well; the status says it
    if span.status.code in (_OK, _ERROR):
        tags["otel.status_code"] = "OK" if span.status.code == _OK else "ERROR"
    if span.status.code == _ERROR:
        tags["error"] = span.status.message
    if span.trace_state:
        tags["w3c.tracestate"] = span.trace_state
    for what in ("attributes", "events", "links"):
        if count := getattr(span, f"dropped_{what}_count"):
            tags[f"otel.dropped_{what}_count"] = str(count)
    for at, link in enumerate(span.links):
        about = _json({each.key: _plain(each.value) for each in link.attributes})
        dropped = link.dropped_attributes_count
        tags[f"otlp.link.{at}"] = f"{link.trace_id.hex()}|{link.span_id.hex()}|{link.trace_state}|{about}|{dropped}"
    return tags


def _remote(kind: str | None, tags: Mapping[str, str]) -> dict[str, Any] | None:
    """The transformation has a remote endpoint for CLIENT and PRODUCER alone. Ours, on purpose: a CONSUMER that names
    its `peer.service` has it too. A Zipkin tracer says there which broker the message came from, and links between
    services are drawn from it (`zipkin2.internal.DependencyLinker`): without it, the broker would be missing for
    those who send OTLP. Addresses do not count: a CONSUMER's are often its own."""
    if kind in ("CLIENT", "PRODUCER"):
        return _peer(tags)
    who = tags.get("peer.service") if kind == "CONSUMER" else None
    return {"serviceName": who} if who else None


def _peer(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """Who was called: an address and its port, or a name."""
    for key, port_key in _PEERS:
        if who := tags.get(key):
            return _address(who, tags.get(port_key or "", "")) if _is_address(who) else {"serviceName": who}
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address(ip: str, port: str) -> dict[str, Any]:
    known = port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 0xFFFF
    return {"ipv6" if ":" in ip else "ipv4": ip, "port": int(port) if known else None}


def _annotation(event: Span.Event, span: Span) -> dict[str, Any]:
    """The event's name, with its attributes behind it; an event without a time happened when the span began."""
    about = {each.key: _plain(each.value) for each in event.attributes}
    value = f"{_json(event.name)}: {_json(about)}" if about else event.name
    return {"timestamp": (event.time_unix_nano or span.start_time_unix_nano) // 1000, "value": value}


def tags_of(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as text; the last of equal keys counts."""
    return {each.key: _text(each.value) for each in attributes}


def _text(value: AnyValue) -> str:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    return "" if plain is None else _json(plain)


def _plain(value: AnyValue) -> Any:
    """As JSON has it; bytes are base64, and a number that JSON cannot write is its name."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        elements = value.array_value.values
        more = len(elements) - MOST_ELEMENTS
        return [_plain(each) for each in elements[:MOST_ELEMENTS]] + ([f"… {more} more"] if more > 0 else [])
    if which == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values[:MOST_ELEMENTS]}
    plain = getattr(value, which)
    if which == "bytes_value":
        return base64.b64encode(plain).decode()
    if which == "double_value" and not math.isfinite(plain):
        return "NaN" if math.isnan(plain) else "Infinity" if plain > 0 else "-Infinity"
    return plain


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
