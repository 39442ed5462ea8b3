"""Zipkin v2 protobuf (`protos/zipkin.proto`) to spans and back: the same normal form as JSON. Total on the way in.

May live here: the codec of the protobuf form. What a span is and how it is normalised stays in `traces.wire`: each
message becomes what the JSON of the same span would say. The rules of what is passed over are those of a Zipkin 3.6
server's own reader (`Proto3ZipkinFields`): an annotation without a time or a text, a tag without a name, an address
that is none, a kind that nobody knows.
Where we differ on purpose: addresses are read as in JSON (`::ffff:1.2.3.4` is IPv4, which Zipkin has for JSON alone),
and the grammar is protobuf's own (an endpoint sent in two parts is one, unknown groups are skipped).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from toolkit.traces import wire
from toolkit.traces.model import Span
from toolkit.traces.zipkin import MOST_SPANS, ZipkinError, to_span, to_wire

if TYPE_CHECKING:
    from toolkit.stubs import zipkin_pb2

CONTENT_TYPE = "application/x-protobuf"
_KINDS = ("", "CLIENT", "SERVER", "PRODUCER", "CONSUMER")
_LONG = 1 << 63


def decode(data: bytes, *, most: int = MOST_SPANS) -> list[Span]:
    """The spans of a ListOfSpans, normalised as a Zipkin server does; an empty document is an empty list.

    Raises ZipkinError, with the first bad span's index, for everything else there is.
    """
    return [to_span(each) for each in normalised(data, most=most)]


def encode(spans: Iterable[Span]) -> bytes:
    """A ListOfSpans. Equal spans give equal bytes; lists put one behind the other are a list."""
    return encoded(to_wire(span) for span in spans)


def normalised(data: bytes, *, most: int = MOST_SPANS) -> Iterator[dict[str, Any]]:
    """The spans in `data` in Zipkin's normal form (`wire.normal`), one by one. Raises ZipkinError."""
    from google.protobuf.message import DecodeError

    from toolkit.stubs import zipkin_pb2

    try:
        found = zipkin_pb2.ListOfSpans.FromString(data)
    except DecodeError:
        raise ZipkinError("not a protobuf ListOfSpans (Zipkin v2): torn, or something else") from None
    if len(found.spans) > most:
        raise ZipkinError(f"{len(found.spans)} spans in one list; {most} are the most that are taken")
    if data and not found.spans:
        raise ZipkinError("not a protobuf ListOfSpans (Zipkin v2): it holds no span")
    return _normal(found)


def _normal(found: zipkin_pb2.ListOfSpans) -> Iterator[dict[str, Any]]:
    for index, span in enumerate(found.spans):
        try:
            yield wire.normal(_raw(span))
        except wire.Refused as refused:
            raise ZipkinError(str(refused), index) from None


def _raw(span: zipkin_pb2.Span) -> dict[str, Any]:
    """What the span would be as JSON, before it is normalised."""
    if span.kind < 0:
        raise wire.Refused("kind is negative")
    raw: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "parentId": span.parent_id.hex() or None,
        "id": span.id.hex(),
        "kind": _KINDS[span.kind] or None if span.kind < len(_KINDS) else None,
        "name": _text(span.name),
        "timestamp": _signed(span.timestamp),
        "duration": _signed(span.duration),
        "debug": span.debug,
        "shared": span.shared,
    }
    if span.HasField("local_endpoint"):
        raw["localEndpoint"] = _endpoint(span.local_endpoint)
    if span.HasField("remote_endpoint"):
        raw["remoteEndpoint"] = _endpoint(span.remote_endpoint)
    if span.annotations:
        raw["annotations"] = [
            {"timestamp": _signed(each.timestamp), "value": _text(each.value)}
            for each in span.annotations
            if each.timestamp and each.value
        ]
    if span.tags:
        raw["tags"] = {_text(each.key): _text(each.value) for each in span.tags if each.key}
    return raw


def _endpoint(endpoint: zipkin_pb2.Endpoint) -> dict[str, Any]:
    if endpoint.port < 0:
        raise wire.Refused("an endpoint's port is negative")
    raw: dict[str, Any] = {"serviceName": _text(endpoint.service_name), "port": endpoint.port}
    for name, address in (("ipv4", endpoint.ipv4), ("ipv6", endpoint.ipv6)):
        if len(address) in (4, 16):
            raw[name] = str(ip_address(address))
    return raw


def _text(text: bytes) -> str:
    """What is not UTF-8 becomes `�`, as in Zipkin: one strange header must not cost a whole list."""
    return text.decode(errors="replace")


def _signed(number: int) -> int:
    """Java's reading of 64 bits: what would be negative there is so here."""
    return number if number < _LONG else number - 2 * _LONG


def encoded(spans: Iterable[Mapping[str, Any]]) -> bytes:
    """A ListOfSpans of spans in Zipkin's normal form."""
    from toolkit.stubs import zipkin_pb2

    data: bytes = zipkin_pb2.ListOfSpans(spans=[_message(each) for each in spans]).SerializeToString()
    return data


def _message(fields: Mapping[str, Any]) -> zipkin_pb2.Span:
    from toolkit.stubs import zipkin_pb2

    message = zipkin_pb2.Span(
        trace_id=bytes.fromhex(fields["traceId"]),
        parent_id=bytes.fromhex(fields.get("parentId", "")),
        id=bytes.fromhex(fields["id"]),
        kind=_KINDS.index(fields.get("kind", "")),  # type: ignore[arg-type]  # the enum's numbers are their places
        name=fields.get("name", "").encode(),
        timestamp=fields.get("timestamp", 0),
        duration=fields.get("duration", 0),
        debug=fields.get("debug", False),
        shared=fields.get("shared", False),
        tags=[zipkin_pb2.Tag(key=key.encode(), value=value.encode()) for key, value in fields.get("tags", {}).items()],
        annotations=[
            zipkin_pb2.Annotation(timestamp=each["timestamp"] % (2 * _LONG), value=each["value"].encode())
            for each in fields.get("annotations", ())
        ],
    )
    if endpoint := fields.get("localEndpoint"):
        message.local_endpoint.CopyFrom(_place(endpoint))
    if endpoint := fields.get("remoteEndpoint"):
        message.remote_endpoint.CopyFrom(_place(endpoint))
    return message


def _place(endpoint: Mapping[str, Any]) -> zipkin_pb2.Endpoint:
    from toolkit.stubs import zipkin_pb2

    return zipkin_pb2.Endpoint(
        service_name=endpoint.get("serviceName", "").encode(),
        ipv4=ip_address(endpoint["ipv4"]).packed if "ipv4" in endpoint else b"",
        ipv6=ip_address(endpoint["ipv6"]).packed if "ipv6" in endpoint else b"",
        port=endpoint.get("port", 0),
    )
